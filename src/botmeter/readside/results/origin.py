"""How fresh numbers are, and where in the journal a fact stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botmeter.domain.cycles import BillingCycle

CauseKind = Literal["interaction", "command", "timer"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the journal is projected: an account's partition, or the one that lags most.

    `offset`: everything of the journal below it is in the numbers. `event_at` is the time of the last event before it,
    None before the first. `lag_ms` is how long ago the numbers were last known to be complete; None: never yet.
    """

    topic: str
    partition: int
    offset: int
    high_watermark: int
    event_at: int | None
    level_at: int | None
    lag_records: int
    lag_ms: int | None


@dataclass(frozen=True, slots=True)
class Cause:
    """The record that caused an event (`J3`); an event of the timer has only `before_offset`."""

    kind: CauseKind
    topic: str | None
    partition: int | None
    offset: int | None
    #: event_id of an interaction, command_id of a command.
    id: str | None
    before_offset: int | None


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """Where in the journal a fact is written."""

    partition: int
    offset: int
    version: int


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents of USD)."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class CycleSpan:
    """A billing cycle, `[starts_at, ends_at)`."""

    number: int
    billing_cycle: BillingCycle
    starts_at: int
    ends_at: int
