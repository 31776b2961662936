"""Rescues: what people did to partitions that could not go on. They are in one log with the rules, and in one order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordSkipped:
    """A record that could not be taken becomes a dead letter when its partition comes to it."""

    number: int
    at: int
    by: str
    why: str
    partition: int
    topic: str
    offset: int


@dataclass(frozen=True, slots=True)
class OffsetsSet:
    """The inputs of a partition are read from these offsets on; `lost` records were deleted before they were taken."""

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
    """Where a partition of an output ended; a topic made anew under the same name has another `topic_id`."""

    topic: str
    topic_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class LossAccepted:
    """A partition begins anew, with what its journal has, though something is missing there.

    Events below the journal's end may have gaps; a person knows. The inputs are read from these offsets on, and what
    comes of them lies at or above the `ends`, one for each output. Snapshots below theirs do not count.
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
        """Where an output ended."""
        return next(end for end in self.ends if end.topic == topic)

    def reaches_to(self, topic: str, topic_id: str) -> int:
        """The offset below which an output is from before it; 0 in a topic made anew since."""
        end = self.end_of(topic)
        return end.offset if end.topic_id == topic_id else 0


Rescue = RecordSkipped | OffsetsSet | LossAccepted
