"""A micro-batch: what was decided of each partition, to be committed in one transaction, and how its commit ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botmeter.domain.account import Account
from botmeter.engine.budget import Allowance
from botmeter.engine.running_state import RunningState
from botmeter.engine.traced import Traced
from botmeter.metering.pipeline import Decided


@dataclass(frozen=True, slots=True)
class Part:
    """One partition's share of a batch; the positions are the offsets after the last records taken."""

    states: RunningState
    decided: Decided
    interactions_position: int
    commands_position: int
    #: Starts and handoffs before this time, UTC ms, are expired.
    sweep_before: int
    #: An unchanged account whose snapshot is written because the broker's timestamp of it shows the brokers' time.
    stamped: Mapping[bytes, Account] = field(default_factory=dict)
    #: The records for which spans are created.
    traced: Sequence[Traced] = ()

    @property
    def positions(self) -> tuple[int, int]:
        """The positions of interactions and commands."""
        return self.interactions_position, self.commands_position


@dataclass(frozen=True, slots=True)
class Passage:
    """When a batch's oldest record was appended, polled and decided; UTC ms."""

    appended_at: int
    polled_at: int
    decided_at: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The parts that are committed together.

    `group_metadata` is the consumer's when the batch was decided: it fences. None: the worker is not a member any more.
    `snapshots`: the limit of the snapshots in the transaction. `passage` is None for a batch without records.
    """

    parts: Sequence[Part]
    group_metadata: Any
    snapshots: Allowance
    passage: Passage | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """A batch whose commit came back. `is_transaction`: there was something to commit. `ended_at`: UTC ms."""

    batch: Batch
    is_transaction: bool
    took_s: float
    ended_at: int
