"""Rescues: operators' acts on partitions that could not go on. They share one log, and one order, with the rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordSkipped:
    """A record that could not be processed becomes a dead letter when its partition reaches it."""

    number: int
    at: int
    by: str
    why: str
    partition: int
    topic: str
    offset: int

    @property
    def reason(self) -> str:
        """What the dead letter says."""
        return f"skipped by {self.by}: {self.why}"


@dataclass(frozen=True, slots=True)
class OffsetsSet:
    """A partition's inputs are read from these offsets on; `lost` records were deleted before they were processed."""

    number: int
    at: int
    by: str
    why: str
    partition: int
    interactions: int
    commands: int
    lost: int


@dataclass(frozen=True, slots=True)
class OutputEnd:
    """Where a partition of an output ended; a topic that is recreated with the same name has another `topic_id`."""

    topic: str
    topic_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class LossAccepted:
    """A partition starts again with the events that its journal has, though some are missing.

    Events below the journal's end may have gaps, which an operator accepted. The inputs are read from these offsets on,
    and their outputs are at or above the `ends`, one for each output. Snapshots below the end of theirs do not count.
    """

    number: int
    at: int
    by: str
    why: str
    partition: int
    interactions: int
    commands: int
    ends: tuple[OutputEnd, ...]

    def end_of(self, topic: str) -> OutputEnd:
        """Returns where an output ended."""
        return next(end for end in self.ends if end.topic == topic)

    def reaches_to(self, topic: str, topic_id: str) -> int:
        """Returns the offset below which an output was written before the loss; 0 in a topic recreated since."""
        end = self.end_of(topic)
        return end.offset if end.topic_id == topic_id else 0


Rescue = RecordSkipped | OffsetsSet | LossAccepted
