"""What happened to an account besides its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from botmeter.domain.events import Pool
from botmeter.readside.results.origin import Cause, JournalPlace, Money

#: The journal's types that are alerts (`T1`, `T3`).
ALERTS: Final = ("threshold_reached", "sessions_exhausted")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one recipient (masked), as the notifier reported it last."""

    delivery_id: str
    alert_id: str
    at: int
    channel: str
    recipient: str
    state: Literal["sent", "maybe_twice", "retrying", "failed"]
    attempts: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of an account; `type` is the journal's, `detail` its own fields there.

    `pool`, `total` and `used` are those after it; `moved` is by how many sessions it changed the remaining ones.
    """

    type: str
    at: int
    cycle_number: int
    pool: Pool
    total: int
    used: int
    moved: int
    packs: int
    charge: Money | None
    issued_by: str | None
    detail: Mapping[str, Any]
    deliveries: tuple[Delivery, ...]
    place: JournalPlace
    cause: Cause


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """One page of events, newest first; `next_cursor` leads to the next page, None: this is the last."""

    entries: tuple[TimelineEntry, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class HandoffRow:
    """A conversation that went to the agents."""

    handoff_id: str
    at: int
    cycle_number: int
    conversation_id: str
    end_user_id: str
    bot_id: str
    reason: str
    place: JournalPlace
    cause: Cause


@dataclass(frozen=True, slots=True)
class HandoffPage:
    """One page of handoffs, newest first; `next_cursor` leads to the next page, None: this is the last."""

    handoffs: tuple[HandoffRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Suspension:
    """A time in which the bots did not answer; `until` and `resumed_by` are None while it lasts."""

    since: int
    reason: str
    until: int | None
    resumed_by: str | None
    handoffs: int


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """Money charged: packs bought, or renewed with a cycle."""

    at: int
    kind: Literal["purchase", "auto_recharge", "renewal"]
    cycle_number: int
    packs: int
    sessions: int
    charge: Money
    issued_by: str | None
    command_id: str | None
    place: JournalPlace


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command and its result; `reason` and `message` are those of a rejection."""

    command_id: str
    command: str
    issued_by: str
    at: int
    result: Literal["accepted", "rejected"]
    reason: str | None
    message: str | None
    charge: Money | None
    place: JournalPlace
    cause: Cause
