"""The seal of a statement: one digest from the journal and from the read side, and a signature nobody can forge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from botmeter.history.statement import statements
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.readside.queries import Queries
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.page.statement_page import check_copy
from botmeter.web.seal import Seal, sealed

from .application import SECRET
from .page import states
from .page.stories import DAY, HOUR, Story, project

TOKENS = OwnTokens(SECRET)
NOW = states.now_ms()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'readside.db'}")
    migrate(made)
    yield made
    made.dispose()


def queries_of(engine: Engine, story: Story) -> Queries:
    project(engine, story.events, partition=0, now=NOW, level_at=NOW)
    return Queries(engine)


@pytest.mark.parametrize("life", [states.near, states.exhausted, states.closed, states.free])
def test_the_digest_is_that_of_the_statement_told_straight_from_the_journal(engine: Engine, life: object) -> None:
    story = life(NOW)  # type: ignore[operator]
    queries = queries_of(engine, story)
    for told in statements(story.events):
        found = queries.statement(story.account_id, told.number, NOW)
        assert found is not None
        assert sealed(found, TOKENS).seal.digest == told.digest


def test_a_copy_is_genuine_until_the_statement_changes_and_a_forged_one_never_was(engine: Engine) -> None:
    story = states.quiet(NOW)
    queries = queries_of(engine, story)
    found = queries.statement(story.account_id, 1, NOW)
    assert found is not None
    seal = sealed(found, TOKENS).seal

    def told(copy: Seal) -> str | None:
        now_says = queries.statement(story.account_id, 1, NOW)
        assert now_says is not None
        notice = check_copy(now_says, copy.digest, copy.signature, TOKENS)
        return notice.title if notice else None

    assert told(Seal("", "")) is None
    assert told(seal) == "This copy is genuine."
    assert told(Seal(f" {seal.digest.upper()} ", f"{seal.signature}\n")) == "This copy is genuine."
    assert told(replace(seal, digest="0" * 64)) == "This copy was not issued here."
    assert told(replace(seal, signature="\u00e9" * 22)) == "This copy was not issued here."
    assert told(sealed(found, OwnTokens("another secret, of another installation")).seal) == (
        "This copy was not issued here."
    )

    before = len(story.events)
    story.chat(NOW + HOUR)
    project(engine, story.events[before:], partition=0, now=NOW, level_at=NOW + DAY)
    assert told(seal) == "This copy is genuine, and the statement has changed since."
