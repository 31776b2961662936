"""The story of the demo: what is made of it when."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts.instants import millis
from botmeter.demo.story import ACCOUNT_IDS, CHARACTERS, RENEWING, RUNNING_OUT, Story, moments_before
from botmeter.domain.prices import HOUR_MS, PriceBook, Rules
from botmeter.simulation.accounts import CLOSED, population
from botmeter.simulation.records import SimulatedRecord

NOW_MS = millis(datetime(2026, 11, 25, 12, tzinfo=UTC))


def story(seconds: float = 30) -> Story:
    return Story("chat.interactions", "billing.commands", seconds)


def values(records: list[SimulatedRecord]) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in records]


def counted(records: list[SimulatedRecord]) -> Counter[str]:
    return Counter(value["account_id"] for value in values(records))


@pytest.mark.parametrize(("seconds", "after_ms"), [(30, 18_000), (10, 6_000), (float("inf"), 20_000)])
def test_one_cycle_ends_while_the_traffic_lasts_and_the_others_do_not(seconds: float, after_ms: int) -> None:
    opened = [value for value in values(story(seconds).opening(NOW_MS)) if value["type"] == "open_account"]

    assert [value["account_id"] for value in opened] == list(ACCOUNT_IDS)
    anchors = {value["account_id"]: millis(datetime.fromisoformat(value["anchor"])) for value in opened}
    assert anchors.pop(RENEWING.account_id) == NOW_MS + after_ms
    assert set(anchors.values()) == {NOW_MS - 12 * 24 * HOUR_MS}


def test_everybody_has_sessions_left_when_the_traffic_begins_and_one_uses_them_up_soon() -> None:
    prices = PriceBook()
    left = {
        each.account_id: (each.packs * prices.pack_sessions or prices.complimentary_sessions) - each.used_before
        for each in CHARACTERS
    }

    assert min(left.values()) > 0
    assert {each.account_id for each in CHARACTERS if each.chats_per_s * 20 > left[each.account_id]} == {
        RUNNING_OUT.account_id
    }


def test_the_past_comes_from_new_end_users_and_none_of_it_is_too_late() -> None:
    past = values(story().past(NOW_MS))

    assert counted(story().past(NOW_MS)) == {each.account_id: each.used_before for each in CHARACTERS}
    assert len({(value["account_id"], value["end_user_id"]) for value in past}) == len(past)
    oldest = min(millis(datetime.fromisoformat(value["occurred_at"])) for value in past)
    assert NOW_MS - Rules().late_limit_ms + 2 * HOUR_MS < oldest
    assert len({value["bot_id"] for value in past}) == 3
    assert {value["widget"] for value in past} == {"conversations", "self_service"}


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20))
def test_chats_come_at_their_pace_however_often_one_asks(pauses: list[float]) -> None:
    made, elapsed_s, found = story(), 0.0, Counter[str]()
    for pause in pauses:
        elapsed_s += pause
        found.update(counted(made.due(elapsed_s, NOW_MS)))

    assert found == Counter({each.account_id: int(each.chats_per_s * elapsed_s) for each in CHARACTERS})


@given(st.integers(0, 500))
def test_moments_of_the_past_are_in_order_and_in_the_past(count: int) -> None:
    moments = moments_before(NOW_MS, count, "Asia/Kolkata")

    assert len(moments) == count
    assert list(moments) == sorted(moments)
    assert all(NOW_MS - 48 * HOUR_MS < moment < NOW_MS for moment in moments)


def test_the_story_is_nobody_elses() -> None:
    assert not set(ACCOUNT_IDS) & {account.account_id for account in (*population(12), CLOSED)}
