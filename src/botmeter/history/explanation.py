"""Why a session was charged, and why a chat went to the agents, from the account's journal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.domain.cycles import Cycle
from botmeter.domain.events import Event, Pool

Explained = ev.SessionStarted | ev.ChatHandedOff


@dataclass(frozen=True, slots=True)
class Usage:
    """A pool before or after an event."""

    pool: Pool
    used: int
    total: int

    @property
    def remaining(self) -> int:
        """Sessions that could still be charged."""
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class Explanation:
    """One session or handoff: the pool before and after it, and the other events of the same interaction.

    `previous` is the end-user's session before it in the same mode, whose 24 hours did not cover this one (`S1`).
    `pack_number` counts the packs of the cycle from 1; None where the session came from no pack. `is_late` means that
    the session was counted in the cycle before (`A13`).
    """

    event: Explained
    cycle: Cycle
    before: Usage
    after: Usage
    is_late: bool
    pack_number: int | None
    previous: ev.SessionStarted | None
    led_to: tuple[Event, ...]


def explanations(events: Iterable[Event], wanted: Callable[[Explained], bool]) -> Iterator[Explanation]:
    """Explains the wanted sessions and handoffs, in the journal's order. `events` are the account's whole journal."""
    account: Account | None = None
    context = _Context()
    current: Explanation | None = None
    for event in events:
        before, account = account, evolve(account, event)
        if current is not None and event.cause != current.event.cause:
            yield current
            current = None
        if before is not None and isinstance(event, Explained) and wanted(event):
            current = context.explain(event, before)
        elif current is not None:
            current = replace(current, led_to=(*current.led_to, event))
        context.add(event)
    if current is not None:
        yield current


class _Context:
    """The facts that an explanation needs beyond the account: latest sessions, and the size of a pack."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, bool], ev.SessionStarted] = {}
        self._pack_sessions = 0

    def add(self, event: Event) -> None:
        if isinstance(event, ev.SessionStarted):
            self._latest[event.end_user_id, event.preview] = event
        elif isinstance(event, ev.PacksPurchased):
            self._pack_sessions = event.sessions // event.packs
        elif isinstance(event, ev.CycleStarted) and event.packs:
            self._pack_sessions = event.total // event.packs

    def explain(self, event: Explained, account: Account) -> Explanation:
        """Explains an event; `account` is the account before it."""
        cycle, allowance, past = account.cycle, account.allowance, account.past_cycle
        if isinstance(event, ev.ChatHandedOff):
            usage = Usage(allowance.pool, allowance.used, allowance.total)
            return Explanation(event, cycle, usage, usage, False, None, None, ())  # noqa: FBT003 - as named there
        total, packs, is_late = allowance.total, allowance.packs, False
        if past is not None and event.cycle_number == past.number:
            cycle, total, packs, is_late = Cycle(past.number, past.starts_at, cycle.starts_at), past.total, 0, True
        return Explanation(
            event,
            cycle,
            before=Usage(event.pool, event.used - 1, total),
            after=Usage(event.pool, event.used, total),
            is_late=is_late,
            pack_number=self._pack_number(event, packs),
            previous=self._latest.get((event.end_user_id, event.preview)),
            led_to=(),
        )

    def _pack_number(self, event: ev.SessionStarted, packs: int) -> int | None:
        """Packs are used one after another; sessions beyond them were credited."""
        if event.pool != "purchased" or not self._pack_sessions:
            return None
        number = (event.used - 1) // self._pack_sessions + 1
        return number if number <= packs else None
