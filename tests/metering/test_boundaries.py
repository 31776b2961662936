"""What comes exactly at a boundary, of a cycle or of a session's 24 hours, whichever way it is decided."""

from __future__ import annotations

from typing import Any, Final

import pytest

from botmeter.contracts.instants import rfc3339
from botmeter.domain import events as ev
from botmeter.domain.events import InteractionCause
from botmeter.domain.prices import DAY_MS
from botmeter.replay.tape import TapeRecord
from domain.ledger import APRIL, NOON

from .partition_inputs import INTERACTIONS, PARTITION
from .test_pipeline import EVE, Partition, ask, chat, journal, opened, opening

#: Each with what is taken before in a batch of its own, in the same batch, and what the one at the boundary comes to.
AT_THE_BOUNDARY: Final = [
    pytest.param([chat(0, EVE)], [], {}, "covered", id="joins a session in memory"),
    pytest.param([], [chat(0, EVE)], {}, "covered", id="joins a session of its batch"),
    pytest.param([], [], {}, "started", id="opens a session"),
    pytest.param([], [], {"actor": "bot"}, "ignored", id="is ignored"),
    pytest.param([], [], {"bot_id": None}, "ignored", id="is for an agent"),
]


@pytest.mark.parametrize(("before", "beside", "fields", "outcome"), AT_THE_BOUNDARY)
def test_a12_whatever_arrives_at_the_boundary_rolls_the_cycle_first(
    before: list[TapeRecord], beside: list[TapeRecord], fields: dict[str, Any], outcome: str
) -> None:
    partition = opened()
    partition.take(*before)
    decided = partition.take(*beside, chat(1, APRIL, **fields))

    rolled = next(event for event in journal(decided) if isinstance(event, ev.CycleStarted))
    assert (rolled.at, rolled.starts_at) == (APRIL, APRIL)
    assert rolled.cause == InteractionCause(INTERACTIONS, PARTITION, 1, "e-1")
    assert decided.counts[outcome] >= 1
    started = [event for event in journal(decided) if isinstance(event, ev.SessionStarted) and event.at == APRIL]
    assert [event.cycle_number for event in started] == ([2] if outcome == "started" else [])


@pytest.mark.parametrize(("before", "beside", "fields", "outcome"), AT_THE_BOUNDARY)
def test_a12_a_millisecond_earlier_nothing_rolls(
    before: list[TapeRecord], beside: list[TapeRecord], fields: dict[str, Any], outcome: str
) -> None:
    partition = opened()
    partition.take(*before)
    decided = partition.take(*beside, chat(1, APRIL - 1, **fields))

    assert not any(isinstance(event, ev.CycleStarted) for event in journal(decided))
    assert decided.counts[outcome] >= 1


@pytest.mark.parametrize("beside", [[], [chat(0, NOON)]], ids=["in memory", "of its batch"])
def test_s1_exactly_24_hours_after_its_start_a_session_is_over(beside: list[TapeRecord]) -> None:
    partition = opened()
    if not beside:
        partition.take(chat(0, NOON))
    decided = partition.take(*beside, chat(1, NOON + DAY_MS - 1), chat(2, NOON + DAY_MS))

    assert decided.counts["covered"] == 1
    assert [event.at for event in journal(decided)][-1] == NOON + DAY_MS


@pytest.mark.parametrize("beside", [[], [chat(0, NOON + DAY_MS)]], ids=["in memory", "of its batch"])
def test_s5_exactly_24_hours_before_its_start_a_session_covers_nothing(beside: list[TapeRecord]) -> None:
    partition = opened()
    if not beside:
        partition.take(chat(0, NOON + DAY_MS))
    late = [chat(n, NOON + DAY_MS, occurred_at=rfc3339(NOON + 2 - n)) for n in (1, 2)]
    decided = partition.take(*beside, *late)

    assert decided.counts["covered"] == 1
    last = journal(decided)[-1]
    assert isinstance(last, ev.SessionStarted)
    assert last.started_at == NOON


def test_a13_a_session_of_the_cycle_before_counts_there_and_one_at_the_boundary_in_the_new_one() -> None:
    partition = opened()
    partition.take(ask(1, NOON, "purchase_packs", packs=1), APRIL)
    decided = partition.take(
        *(chat(n, APRIL + 1, f"u-{n}", occurred_at=rfc3339(at)) for n, at in enumerate((APRIL - 1, APRIL)))
    )

    starts = [event for event in journal(decided) if isinstance(event, ev.SessionStarted)]
    assert [(event.cycle_number, event.used) for event in starts] == [(1, 1), (2, 1)]


def test_t4_a_chat_that_was_handed_off_is_not_handed_off_again_when_the_boundary_takes_the_sessions_away() -> None:
    """Although memory has forgotten it, and nothing says before the boundary that sessions may run out."""
    partition = Partition(cache_windows=2)
    partition.take(opening("free"))
    for offset in (0, 2):
        partition.take(*(chat(n, EVE, f"u-{n}", conversation_id=f"c-{n}") for n in (offset, offset + 1)))
    partition.take(ask(1, EVE, "purchase_packs", packs=1), ask(2, EVE, "reduce_packs", packs=1))
    decided = partition.take(chat(4, APRIL, "u-0", conversation_id="c-0"))

    assert [type(event) for event in journal(decided)] == [ev.CycleStarted, ev.SessionsExhausted]
    assert decided.counts["refused"] == 1
