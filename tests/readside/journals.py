"""Journals as workers write them, and how a test projects them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hypothesis import strategies as st
from sqlalchemy import Engine

from botmeter.domain.account import Account
from botmeter.domain.events import Event
from botmeter.domain.prices import Rules
from botmeter.readside.tables import TABLES, Generation
from botmeter.readside.writer import Advance, Batch, Position, Writer
from metering.partition_inputs import input_of, lengths, openings, rules, seeds
from metering.test_split import one_by_one

JOURNAL: Final = "botmeter.journal"
TOPIC_ID: Final = "id-of-the-journal"
#: Everything happens on one partition; the other is empty.
PARTITIONS: Final = 2
PARTITION: Final = 0
NOW: Final = 1_800_000_000_000

Journal = tuple[list[Event], dict[str, Account]]


def journal_of(seed: int, openings_: int, length: int, rules_: Rules) -> Journal:
    """The events of a drawn input, and the accounts that the worker ends with."""
    run = one_by_one(input_of(seed, openings_, length), rules_)
    return run.journal, {account.account_id: account for account in run.accounts.values()}


journals: Final = st.builds(journal_of, seeds, openings, lengths, rules)
#: Sizes of batches; what is left makes the last one.
cuts: Final = st.lists(st.integers(1, 40), max_size=12)


def batches_of(events: Sequence[Event], sizes: Iterable[int]) -> Iterable[tuple[int, Sequence[Event]]]:
    """Batches of these sizes, each with the offset of its first event; the last goes on to the end."""
    begin = 0
    for size in [*sizes, len(events)]:
        if events[begin : begin + size]:
            yield begin, events[begin : begin + size]
        begin += size


def position_of(writer: Writer, partition: int = PARTITION) -> Position:
    """How far the writer's database is."""
    return writer.positions(JOURNAL, TOPIC_ID, range(PARTITIONS), NOW)[partition]


def batch_of(position: Position, events: Sequence[Event], level_at: int | None = None) -> Batch:
    """The events that begin at a position."""
    begin = position.next_offset
    numbered = [(position.partition, begin + number, event) for number, event in enumerate(events)]
    end = begin + len(events)
    event_at = events[-1].at if events else None
    return Batch(events=numbered, advances=[Advance(position, end, end, event_at, level_at)])


def writer_of(engine: Engine, owner: str = "test", generation: Generation = "a") -> Writer:
    return Writer(engine, TABLES[generation], owner, generation)


def project_all(engine: Engine, events: Sequence[Event], sizes: Iterable[int] = ()) -> None:
    """Projects a whole journal, cut into batches of these sizes."""
    writer = writer_of(engine)
    for _, batch in batches_of(events, sizes):
        writer.write(batch_of(position_of(writer), batch, NOW), NOW)
