"""What the inputs come to: the same pure step over all that was read, in the total order of `J4`.

The worker decided in batches, with restores, threads and commits around it; here nothing is around it. If both come to
the same journal, then nothing was lost, repeated or taken out of order on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from botmeter.contracts.topics import Topics
from botmeter.domain.events import CommandCause, Event, TimerCause
from botmeter.domain.prices import Rules
from botmeter.metering.pipeline import Meter
from botmeter.metering.records import Output, Record
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore, StoreMark, StoreUpdate

_MARK = StoreMark(journal_offset=0, snapshot_floor=0, topic_id="", written_at=0)
#: Beyond it windows are looked up in the store, which is in memory too.
_CACHE_WINDOWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """What was decided before the interaction at `before_offset`: a command, else the timer's turn at `at` (UTC ms)."""

    before_offset: int
    command: Record | None
    at: int = 0


@dataclass(slots=True)
class Tally:
    """What became of the inputs."""

    interactions: int = 0
    commands: int = 0
    #: Interactions by outcome, dead letters of both inputs by reason.
    outcomes: Counter[str] = field(default_factory=Counter)
    #: Interactions whose value was there before, byte by byte.
    repeated: int = 0


class Recount:
    """One partition, counted again from its beginning."""

    def __init__(self, partition: int, partitions: int, topics: Topics, rules: Rules, tally: Tally) -> None:
        """What becomes of the inputs is added to `tally`."""
        self._store = MemoryStore()
        state = PartitionState(self._store, rules, _CACHE_WINDOWS)
        self._meter = Meter(partition, partitions, state, topics, rules, next_offset=0)
        self._tally = tally
        self._seen: set[int] = set()

    def outputs(self, interactions: Iterable[Sequence[Record]], steps: Sequence[Step]) -> Iterator[Output]:
        """The outputs of all interactions and steps, both in their order, balances after each batch."""
        steps_left = iter(steps)
        step = next(steps_left, None)
        for batch in interactions:
            self._meter.begin()
            self._note(batch)
            begin = 0
            while step is not None and step.before_offset <= batch[-1].offset():
                end = next(place for place in range(begin, len(batch)) if batch[place].offset() >= step.before_offset)
                self._meter.take_interactions(batch[begin:end])
                self._take(step)
                begin, step = end, next(steps_left, None)
            self._meter.take_interactions(batch[begin:])
            yield from self._end()
        self._meter.begin()
        while step is not None:
            self._take(step)
            step = next(steps_left, None)
        yield from self._end()

    def _take(self, step: Step) -> None:
        if step.command is None:
            self._meter.tick(step.at)
        else:
            self._tally.commands += 1
            self._meter.take_command(step.command)

    def _note(self, batch: Sequence[Record]) -> None:
        self._tally.interactions += len(batch)
        for record in batch:
            value = record.value()
            if value is None:
                continue
            fingerprint = hash(value)
            if fingerprint in self._seen:
                self._tally.repeated += 1
            self._seen.add(fingerprint)

    def _end(self) -> list[Output]:
        decided = self._meter.end()
        self._tally.outcomes.update(decided.counts)
        self._store.write(StoreUpdate({}, decided.changes.windows, decided.changes.chats, _MARK))
        return decided.outputs


@dataclass(slots=True)
class _Turn:
    """A turn of the timer: it rolls all due cycles of one account, then of the next."""

    cause: TimerCause
    events: list[Event]

    def goes_on_with(self, event: Event) -> bool:
        """Whether the next event belongs to it too; an account that comes again has a turn of its own."""
        is_same_account = event.account_id == self.events[-1].account_id
        return event.cause == self.cause and (
            is_same_account or all(event.account_id != before.account_id for before in self.events)
        )

    @property
    def step(self) -> Step:
        """At the latest boundary it rolled; until then nothing else was due."""
        return Step(self.cause.before_offset, None, max(event.at for event in self.events))


def steps_of(journal: Iterable[Event], commands: Iterable[Record]) -> list[Step]:
    """All commands and turns of the timer in the order in which they were decided, as the journal tells it.

    Commands that left no event (unknown account, unreadable) changed nothing; they go with the command before them.
    """
    left = list(reversed(list(commands)))
    steps: list[Step] = []
    before_offset = 0
    turn: _Turn | None = None
    for event in journal:
        if turn is not None and not turn.goes_on_with(event):
            steps.append(turn.step)
            turn = None
        match event.cause:
            case TimerCause() as cause:
                turn = turn or _Turn(cause, [])
                turn.events.append(event)
            case CommandCause() as cause:
                while left and left[-1].offset() <= cause.offset:
                    before_offset = cause.before_offset
                    steps.append(Step(before_offset, left.pop()))
            case _:
                pass
    if turn is not None:
        steps.append(turn.step)
    steps.extend(Step(before_offset, command) for command in reversed(left))
    return steps
