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
    """A pool as an event met or left it."""

    pool: Pool
    used: int
    total: int

    @property
    def remaining(self) -> int:
        """Sessions that could still be charged."""
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class Explanation:
    """One session or handoff: what the account was before it, and what the same interaction led to besides.

    `previous` is the end-user's session before it in the same mode, whose 24 hours did not cover this one (`S1`).
    `pack_number` counts the packs of the cycle from 1; None where the session came out of none. `is_late` says that the
    session was counted in the cycle before (`A13`).
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
    """Explains the sessions and handoffs that are wanted, in the order of the journal, all of which `events` are."""
    account: Account | None = None
    history = _History()
    current: Explanation | None = None
    for event in events:
        before, account = account, evolve(account, event)
        if current is not None and event.cause != current.event.cause:
            yield current
            current = None
        if before is not None and isinstance(event, Explained) and wanted(event):
            current = history.explain(event, before)
        elif current is not None:
            current = replace(current, led_to=(*current.led_to, event))
        history.note(event)
    if current is not None:
        yield current


class _History:
    """What an explanation needs that the account does not know."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, bool], ev.SessionStarted] = {}
        self._pack_sessions = 0

    def note(self, event: Event) -> None:
        if isinstance(event, ev.SessionStarted):
            self._latest[event.end_user_id, event.preview] = event
        elif isinstance(event, ev.PacksPurchased):
            self._pack_sessions = event.sessions // event.packs
        elif isinstance(event, ev.CycleStarted) and event.packs:
            self._pack_sessions = event.total // event.packs

    def explain(self, event: Explained, account: Account) -> Explanation:
        """`account` is as it was before the event."""
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
        """Packs are used up one after the other; what is beyond them was credited."""
        if event.pool != "purchased" or not self._pack_sessions:
            return None
        number = (event.used - 1) // self._pack_sessions + 1
        return number if number <= packs else None
