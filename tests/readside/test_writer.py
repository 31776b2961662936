"""The transaction: offsets and rows together, one writer at a time, deliveries, old hours."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, func, select, text

from botmeter.domain.events import (
    AccountOpened,
    CommandCause,
    ComplimentaryGranted,
    Event,
    SessionsCredited,
    ThresholdReached,
)
from botmeter.domain.prices import DAY_MS, PriceBook, Rules
from botmeter.errors import ConfigurationError
from botmeter.readside.database import open_database, reading
from botmeter.readside.migrations import VERSION_TABLE, migrate
from botmeter.readside.pruning import HourPruner
from botmeter.readside.queries import Queries
from botmeter.readside.results import SessionFilter
from botmeter.readside.rows import Gap
from botmeter.readside.tables import TABLES, generation_table, used_links_table
from botmeter.readside.writer import LEASE_MS, Batch, Overtaken, Standby

from .comparison import assert_equal
from .journals import NOW, batch_of, journal_of, position_of, project_all, writer_of
from .plain_fold import fold


@pytest.fixture(scope="module")
def events() -> Sequence[Event]:
    return journal_of(11, 3, 300, Rules(prices=PriceBook(10, 100, "USD", 5)))[0]


def test_the_migrations_make_the_tables_that_the_code_describes(engine: Engine) -> None:
    described = MetaData()
    for table in [generation_table, used_links_table, *TABLES["a"].all()]:
        table.to_metadata(described)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})

        assert compare_metadata(context, described) == []


def test_migrating_again_changes_nothing(engine: Engine, events: Sequence[Event]) -> None:
    project_all(engine, events)
    migrate(engine)

    assert_equal(engine, fold(events))


def test_a_gap_is_read_over_where_somebody_has_accepted_it_and_ends_the_projection_elsewhere(
    engine: Engine, events: Sequence[Event]
) -> None:
    """An account is as the others left it; one without its opening is left out."""
    opened = [event for event in events if event.version == 1]
    kept = [event for event in events if event.version != 2 and event.account_id != opened[0].account_id]
    lost = [event for event in events if event.account_id == opened[0].account_id and event.version == 3]
    writer = writer_of(engine, "gaps")

    with pytest.raises(Gap, match="run: botmeter partition restore-from 0 journal"):
        writer.write(batch_of(position_of(writer), [*lost, *kept]), NOW)
    writer.gaps_below = {0: len(lost) + len(kept)}
    writer.write(batch_of(position_of(writer), [*lost, *kept]), NOW)

    with reading(engine) as (connection, tables):
        columns = tables.accounts.c
        found = {row.account_id: row.version for row in connection.execute(select(columns.account_id, columns.version))}
    assert found == {event.account_id: event.version for event in kept}


def test_a_batch_that_begins_where_another_has_written_is_not_written(engine: Engine, events: Sequence[Event]) -> None:
    first, second = writer_of(engine, "same"), writer_of(engine, "same")  # both may write, as far as the lease goes
    stale = position_of(second)
    first.write(batch_of(position_of(first), events[:50]), NOW)

    with pytest.raises(Overtaken):
        second.write(batch_of(stale, events[:50]), NOW)
    second.write(batch_of(position_of(second), events[50:]), NOW)

    assert_equal(engine, fold(events))


def test_two_that_write_at_the_same_moment_write_once(engine: Engine, events: Sequence[Event]) -> None:
    outcomes: list[str] = []
    writers = [writer_of(engine, "same") for _ in range(4)]
    begin = threading.Barrier(len(writers))
    batches = [batch_of(position_of(writer), events) for writer in writers]

    def write(number: int) -> None:
        begin.wait()
        try:
            writers[number].write(batches[number], NOW)
            outcomes.append("written")
        except Overtaken:
            outcomes.append("overtaken")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["overtaken"] * 3 + ["written"]
    assert_equal(engine, fold(events))


def test_one_stands_by_until_the_lease_of_the_other_is_over_or_given_back(engine: Engine) -> None:
    first, second = writer_of(engine, "first"), writer_of(engine, "second")
    first.write(Batch(), NOW)

    with pytest.raises(Standby):
        second.write(Batch(), NOW + LEASE_MS - 1)
    second.write(Batch(), NOW + LEASE_MS)
    with pytest.raises(Standby):
        first.write(Batch(), NOW + LEASE_MS)
    second.release(NOW + LEASE_MS)
    first.write(Batch(), NOW + LEASE_MS)


def test_who_writes_into_tables_that_are_no_longer_current_is_told(engine: Engine) -> None:
    writer = writer_of(engine)
    with engine.begin() as connection:
        connection.execute(generation_table.update().values(generation="b"))

    with pytest.raises(Overtaken):
        writer.write(Batch(), NOW)


def test_a_gap_in_the_journal_is_refused_and_leaves_no_row(engine: Engine, events: Sequence[Event]) -> None:
    writer = writer_of(engine)
    gap = [event for event in events if (event.account_id, event.version) != ("acme", 5)]

    with pytest.raises(Gap, match="events of acme before its version 6 are missing"):
        writer.write(batch_of(position_of(writer), gap), NOW)
    assert position_of(writer).next_offset == 0
    assert Queries(engine).accounts(now=NOW).accounts == ()


def test_an_event_that_comes_twice_counts_once(engine: Engine, events: Sequence[Event]) -> None:
    """A broker that lost the end of a transaction can show its records twice."""
    writer = writer_of(engine)
    writer.write(batch_of(position_of(writer), events[:80]), NOW)
    writer.write(batch_of(position_of(writer), events[40:80]), NOW)
    told = fold(events[:80])

    for account_id, each in told.items():
        shown = Queries(engine).summary(account_id)
        assert shown is not None
        assert (shown.used, shown.place.version) == (each.account.allowance.used, each.account.version)
    with reading(engine) as (connection, tables):
        count = connection.execute(select(func.count()).select_from(tables.sessions)).scalar_one()
    assert count == sum(len(each.sessions) for each in told.values())


def test_hours_that_are_old_go_and_days_stay(engine: Engine, events: Sequence[Event]) -> None:
    project_all(engine, events)
    last = max(event.at for event in events)
    pruner = HourPruner(engine, TABLES["a"], keep_days=20)

    pruner.step(last)

    with reading(engine) as (connection, tables):
        hours = connection.execute(select(tables.usage_hours.c.bucket)).scalars().all()
        days = connection.execute(select(func.sum(tables.usage_days.c.sessions))).scalar_one()
    assert all(bucket >= last - 20 * DAY_MS for bucket in hours)
    assert days == sum(len(each.sessions) for each in fold(events).values())


def test_lag_is_told_in_records_offset_and_time(engine: Engine, events: Sequence[Event]) -> None:
    writer = writer_of(engine)
    batch = batch_of(position_of(writer), events[:30], level_at=NOW)
    writer.write(batch, NOW)
    told = Queries(engine).freshness(NOW + 7_000, events[0].account_id)

    assert told is not None
    assert (told.offset, told.lag_records, told.lag_ms, told.event_at) == (30, 0, 7_000, events[29].at)


def test_no_account_no_answer(engine: Engine) -> None:
    queries = Queries(engine)

    assert queries.account("nobody", NOW) is None
    assert queries.freshness(NOW) is None
    assert queries.explain("00" * 16) is None
    assert queries.explain("not hex") is None
    assert list(queries.charges("nobody")) == []


def test_why_a_state_changed_is_a_word_of_ours_whatever_people_wrote(engine: Engine) -> None:
    moment, cause = NOW, CommandCause("billing.commands", 0, 0, "k", 0)
    project_all(engine, [
        AccountOpened("acme", 1, moment, cause, "growth", "monthly", moment, "UTC", (), (80,), moment, moment + DAY_MS),
        ComplimentaryGranted("acme", 2, moment, cause, 5),
        ThresholdReached("acme", 3, moment, cause, 80, 4, 5, 1, "complimentary", 1, moment + DAY_MS),
        SessionsCredited("acme", 4, moment + 1, cause, 500, "sorry, " * 100, "complimentary", 505, 4),
    ])  # fmt: skip
    shown = Queries(engine).summary("acme")

    assert shown is not None
    assert (shown.state, shown.reason, shown.since) == ("active", "sessions_credited", moment + 1)


def test_a_text_that_no_database_takes_matches_nothing(engine: Engine, events: Sequence[Event]) -> None:
    project_all(engine, events)
    queries = Queries(engine)

    assert queries.summary("ac\x00me") is None
    assert queries.accounts(search="\x00", now=NOW).accounts == ()
    assert queries.sessions("acme", SessionFilter(end_user_id="\x00")).sessions == ()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////proc/nowhere/readside.db", "nowhere"),
        ("sqlite://", "should name a file"),
        ("postgresql+psycopg://nobody:secret@127.0.0.1:1/none", "cannot use .*nobody:\\*\\*\\*@127.0.0.1:1"),
        ("postgresql+nosuchdriver://x/y", "BOTMETER_READSIDE_URL"),
        ("mysql://x/y", "SQLite or PostgreSQL"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        migrate(open_database(url))
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_tables_of_a_newer_botmeter_are_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608 - our own name

    with pytest.raises(ConfigurationError, match="newer botmeter"):
        migrate(engine)
