"""Whatever the journal, however it is cut and wherever it breaks off: the read side holds what a plain fold counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from botmeter.domain.events import Event
from botmeter.domain.prices import PriceBook, Rules
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from postgresql import new_database

from .comparison import NOW, assert_equal, dump
from .journals import Journal, batch_of, batches_of, cuts, journal_of, journals, position_of, project_all, writer_of
from .plain_fold import fold


class PowerCut(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty read side, to be copied: migrations take longer than an example."""
    file = tmp_path_factory.mktemp("template") / "readside.db"
    made = open_database(f"sqlite:///{file}")
    migrate(made)
    with made.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    made.dispose()
    return file


def copied(template: Path, directory: str) -> Engine:
    file = Path(directory) / "readside.db"
    file.write_bytes(template.read_bytes())
    return open_database(f"sqlite:///{file}")


@given(journals, cuts)
@settings(max_examples=60)
def test_any_cut_of_any_journal_gives_what_a_plain_fold_counts(
    template: Path, journal: Journal, sizes: list[int]
) -> None:
    events, accounts = journal
    with TemporaryDirectory() as directory:
        engine = copied(template, directory)
        project_all(engine, events, sizes)

        assert_equal(engine, fold(events))
        assert {told.account.account_id for told in fold(events).values()} == set(accounts)
        engine.dispose()


@given(journals, cuts, st.integers(0, 60), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_projection_that_is_broken_off_anywhere_repeats_and_loses_nothing(
    template: Path, journal: Journal, sizes: list[int], statements: int, dice: Any
) -> None:
    events, _ = journal
    with TemporaryDirectory() as directory:
        engine = copied(template, directory)
        project_with_a_power_cut(engine, events, sizes, statements)
        project_rest(engine, events, dice.randint(1, 50))

        assert_equal(engine, fold(events))
        engine.dispose()


@given(journals, cuts, st.integers(0, 60))
@settings(max_examples=10)
def test_so_it_is_on_postgresql(postgresql: str, journal: Journal, sizes: list[int], statements: int) -> None:
    events, _ = journal
    engine = open_database(new_database(postgresql))
    migrate(engine)
    project_with_a_power_cut(engine, events, sizes, statements)
    project_rest(engine, events, 50)

    assert_equal(engine, fold(events))
    engine.dispose()


def test_batches_of_one_event_and_one_batch_give_the_same_rows(template: Path, tmp_path: Path) -> None:
    events, _ = journal_of_many()
    dumps = []
    for name, sizes in (("one", [1] * len(events)), ("all", [])):
        (tmp_path / name).mkdir()
        engine = copied(template, str(tmp_path / name))
        project_all(engine, events, sizes)
        dumps.append(dump(engine))
        engine.dispose()

    assert dumps[0] == dumps[1]


def journal_of_many() -> Journal:
    return journal_of(11, 3, 400, Rules(prices=PriceBook(10, 100, "USD", 5)))


# --- Breaking off ----------------------------------------------------------------------------------------------------


def project_with_a_power_cut(engine: Engine, events: Sequence[Event], sizes: Sequence[int], statements: int) -> None:
    """Projects until so many statements were executed; then the process ends, whatever it was at."""
    left = statements

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise PowerCut

    writer = writer_of(engine, "first")
    position_of(writer)
    event.listen(engine, "before_cursor_execute", count)
    try:
        for _, batch in batches_of(events, sizes):
            writer.write(batch_of(position_of(writer), batch), NOW)
    except PowerCut:
        pass
    finally:
        event.remove(engine, "before_cursor_execute", count)


def project_rest(engine: Engine, events: Sequence[Event], size: int) -> None:
    """Another process goes on, once the lease of the first one is over."""
    later = NOW + 60_000
    writer = writer_of(engine, "second")
    while (position := position_of(writer)).next_offset < len(events):
        begin = position.next_offset
        writer.write(batch_of(position, events[begin : begin + size]), later)
