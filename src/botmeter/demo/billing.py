"""The billing side of the demo: administrators who buy packs some seconds after their sessions are used up. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

from botmeter.simulation.accounts import SimulatedAccount
from botmeter.simulation.records import SimulatedRecord, command_record

#: The time in which an administrator reads the alert and decides.
_REACTION_S: Final = 3.0


class BillingSide:
    """Reacts to `sessions_exhausted`, for the accounts whose administrators buy packs then."""

    def __init__(self, accounts: Iterable[SimulatedAccount], commands_topic: str, seed: int) -> None:
        """The ids of the commands contain the seed."""
        self._packs = {account.account_id: account.packs_when_exhausted for account in accounts}
        self._topic, self._seed = commands_topic, seed
        self._waiting: deque[tuple[float, str]] = deque()
        self._bought: Counter[str] = Counter()

    def schedule_purchases(self, account_ids: Iterable[str], now_s: float) -> None:
        """Schedules the purchases of accounts that have used all their sessions."""
        self._waiting.extend((now_s + _REACTION_S, id_) for id_ in account_ids if self._packs.get(id_))

    def due(self, now_s: float) -> Sequence[SimulatedRecord]:
        """Returns the purchases that are due by now."""
        purchases = []
        while self._waiting and self._waiting[0][0] <= now_s:
            _, account_id = self._waiting.popleft()
            self._bought[account_id] += 1
            command_id = f"demo-{self._seed}-{account_id}-{self._bought[account_id]}"
            fields: dict[str, object] = {"type": "purchase_packs", "packs": self._packs[account_id]}
            purchases.append(command_record(self._topic, account_id, command_id, "admin", fields))
        return purchases
