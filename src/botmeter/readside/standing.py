"""An account in the projection: the fold of its journal, and the values that lists show and sort by."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, Final

from botmeter.contracts.encoding import decode_account, encode_account
from botmeter.domain.account import Account
from botmeter.readside.local_time import DAY_MS, HOUR_MS
from botmeter.readside.results.accounts import AccountState

#: After this long a session counts half in the pace: a weekend shows in it, a quiet hour does not.
_HALF_LIFE_MS: Final = 3 * DAY_MS
#: An account younger than this is treated as this old, because its pace would mean nothing yet.
_LEAST_AGE_MS: Final = HOUR_MS
#: The order by risk: first the exhausted; then those that will run out, by that time; then those whose sessions last,
#: by usage; then the closed.
_HAS_RUN_OUT: Final = 0
_LASTS: Final = 2**62
_IS_CLOSED: Final = 2**63 - 1
#: A time further away than this is not given.
_FAR_MS: Final = 3650 * DAY_MS
#: Above the highest number of partitions that `BOTMETER_PARTITIONS` allows.
_PARTITIONS_MAX: Final = 1024


@dataclass(slots=True)
class Standing:
    """One account while it is projected; changed in place, event by event."""

    account_no: int
    partition: int
    account: Account
    opened_at: int
    updated_at: int
    journal_offset: int
    state: AccountState
    state_since: int
    state_reason: str
    state_offset: int
    last_session_at: int | None
    recent_weight: float

    def count_session(self, at: int) -> None:
        """Counts a session at the broker time `at`."""
        elapsed = max(at - self.updated_at, 0)
        self.recent_weight = self.recent_weight * 0.5 ** (elapsed / _HALF_LIFE_MS) + 1.0
        self.last_session_at = at

    def fade(self, at: int) -> None:
        """Decays the pace to the broker time `at`, without a session."""
        elapsed = max(at - self.updated_at, 0)
        if elapsed and self.recent_weight:
            self.recent_weight *= 0.5 ** (elapsed / _HALF_LIFE_MS)

    def sessions_per_ms(self) -> float:
        """The recent pace."""
        age_ms = max(self.updated_at - self.opened_at, _LEAST_AGE_MS)
        # A young account can have filled only this part of the weights.
        filled = 1.0 - 0.5 ** (age_ms / _HALF_LIFE_MS)
        return float(self.recent_weight * log(2) / _HALF_LIFE_MS / filled)

    def runs_out_at(self) -> int | None:
        """When the sessions are likely used up, if that is before they expire; None if they last, or none are left."""
        allowance, cycle = self.account.allowance, self.account.cycle
        pace = self.sessions_per_ms()
        if self.state in {"exhausted", "closed"} or pace <= 0 or allowance.remaining > pace * _FAR_MS:
            return None
        at = self.updated_at + int(allowance.remaining / pace)
        return at if allowance.pool == "complimentary" or at < cycle.ends_at else None


def account_no(partition: int, offset: int) -> int:
    """The number of the account that the journal record at `offset` opened."""
    return offset * _PARTITIONS_MAX + partition


def state_of(account: Account) -> AccountState:
    """The account's state, as lists show it."""
    if account.status != "active":
        return account.status
    return "near_end" if account.allowance.reached else "active"


def account_row(standing: Standing) -> dict[str, Any]:
    """The account's row."""
    account, allowance = standing.account, standing.account.allowance
    runs_out_at = standing.runs_out_at()
    permille = allowance.used * 1000 // allowance.total if allowance.total else 0
    return {
        "account_no": standing.account_no,
        "account_id": account.account_id,
        "partition": standing.partition,
        "journal_offset": standing.journal_offset,
        "version": account.version,
        "updated_at": standing.updated_at,
        "opened_at": standing.opened_at,
        "state": standing.state,
        "state_since": standing.state_since,
        "state_reason": standing.state_reason,
        "state_offset": standing.state_offset,
        "plan": account.terms.plan,
        "pool": allowance.pool,
        "total": allowance.total,
        "used": allowance.used,
        "remaining": allowance.remaining,
        "used_permille": permille,
        "packs": allowance.packs,
        "packs_next_cycle": allowance.packs_next_cycle,
        "cycle_number": account.cycle.number,
        "cycle_starts_at": account.cycle.starts_at,
        "cycle_ends_at": account.cycle.ends_at,
        "time_zone": account.terms.time_zone,
        "last_session_at": standing.last_session_at,
        "recent_weight": standing.recent_weight,
        "pace_per_day": round(standing.sessions_per_ms() * DAY_MS),
        "runs_out_at": runs_out_at,
        "risk": _risk(standing.state, runs_out_at, permille),
        "account": encode_account(account).decode(),
    }


def _risk(state: AccountState, runs_out_at: int | None, permille: int) -> int:
    if state == "exhausted":
        return _HAS_RUN_OUT
    if state == "closed":
        return _IS_CLOSED
    return runs_out_at if runs_out_at is not None else _LASTS - permille


def standing_of(row: Any) -> Standing:
    """The account of a row, from which the projection continues."""
    return Standing(
        account_no=row.account_no,
        partition=row.partition,
        account=decode_account(row.account.encode()),
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        journal_offset=row.journal_offset,
        state=row.state,
        state_since=row.state_since,
        state_reason=row.state_reason,
        state_offset=row.state_offset,
        last_session_at=row.last_session_at,
        recent_weight=row.recent_weight,
    )
