"""What the page says in each situation, and how it writes numbers and moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from starlette.datastructures import FormData

from botmeter.domain import commands as cmd
from botmeter.domain.contacts import ContactDetails
from botmeter.domain.prices import PriceBook
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.readside.queries import Queries
from botmeter.readside.results import AccountDetail, AutoRecharge
from botmeter.web.page import settings_page
from botmeter.web.page.answer import answer
from botmeter.web.page.charts.axes import steps_up_to
from botmeter.web.page.charts.usage_bars import bucket_name, usage_chart
from botmeter.web.page.contacts import contacts_from, contacts_shown
from botmeter.web.page.moments import Clock, lasting
from botmeter.web.page.numbers import about, money, signed, some
from botmeter.web.page.offers import buy_offer, reduce_offer

from .stories import DAY, HOUR, MAYA, Story, project

PRICES = PriceBook()


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


STARTS = ms("2026-11-01T00:00")
NOW = ms("2026-11-21T12:00")

_OPENED: list[Engine] = []


def told(text: str) -> str:
    """As a person reads it: spaces that do not break are spaces."""
    return text.replace("\u00a0", " ")


@pytest.fixture(autouse=True)
def read_sides() -> Iterator[None]:
    """Lets go of the databases that a test has opened."""
    yield
    while _OPENED:
        _OPENED.pop().dispose()


def seen(tmp_path: Path, story: Story, now: int = NOW) -> tuple[AccountDetail, Queries, Clock]:
    """The account as the read side has it."""
    engine = open_database(f"sqlite:///{tmp_path / 'readside.db'}")
    _OPENED.append(engine)
    migrate(engine)
    for partition in range(4):
        project(engine, story.events if partition == 0 else [], partition=partition, now=now, level_at=now)
    queries = Queries(engine)
    detail = queries.account(story.account_id, now)
    assert detail is not None
    return detail, queries, Clock(detail.summary.time_zone, now)


def answered(tmp_path: Path, story: Story, now: int = NOW) -> tuple[str, str, str]:
    detail, queries, clock = seen(tmp_path, story, now)
    burn, suspensions = queries.burn_down(story.account_id, now), queries.suspensions(story.account_id, 1)
    said = answer(detail, burn.forecast if burn else None, suspensions[0] if suspensions else None, PRICES, clock)
    return told(said.state), told(said.headline), told(said.lead)


def opened(plan: cmd.Plan = "growth") -> Story:
    return Story("acme").open(STARTS, plan=plan, anchor=STARTS, contacts=(MAYA,))


def test_a_pace_that_lasts(tmp_path: Path) -> None:
    state, headline, lead = answered(tmp_path, opened().buy(STARTS, 3).chats(STARTS, NOW, 1_000))

    assert state == "The bot answers."
    assert headline.startswith("Your sessions last to the end of the cycle on 30 November, with about 1,5")
    assert lead == "What is left expires at the end of 30 November, and 3 packs start the next cycle."


def test_a_pace_that_does_not_last(tmp_path: Path) -> None:
    state, headline, lead = answered(tmp_path, opened().buy(STARTS, 1).chats(STARTS, NOW, 790))

    assert state == "The bot answers."
    assert headline == "At this pace your sessions are used up on 26 November, 5 days before the cycle ends."
    assert "new chats in the conversations widget go to your agents and the self-service widget stops" in lead


def test_near_the_end(tmp_path: Path) -> None:
    state, _, _ = answered(tmp_path, opened().buy(STARTS, 1).chats(STARTS, NOW, 810))

    assert state == "Near the end. The bot still answers."


def test_used_up(tmp_path: Path) -> None:
    story = opened().buy(STARTS, 1).chats(STARTS, NOW - 2 * HOUR, 1_000)
    story.chats(NOW - HOUR, NOW, 18)
    state, headline, lead = answered(tmp_path, story)

    assert state == "Agents answer since 09:30, because the sessions are used up."
    assert headline == "All 1,000 sessions are used. New chats go to your agents."
    assert lead.startswith("12 chats went to them since. The bot answers again as soon as you buy packs, ")
    assert "or on 1 December, when 1 pack renews." in lead


def test_the_free_plan_without_packs(tmp_path: Path) -> None:
    state, headline, _ = answered(tmp_path, opened("free"))

    assert state == "Agents answer since 00:00 on 1 November, because there are no sessions."
    assert headline == "Your bots need a pack of sessions before they can answer."


def test_closed(tmp_path: Path) -> None:
    state, headline, _ = answered(tmp_path, opened().obey(NOW - DAY, cmd.CloseAccount("k", "crm")))

    assert state == "Closed since 12:00 yesterday."
    assert headline == "This account is closed. Its bots do not answer."


def test_the_first_pack_says_what_it_costs_and_takes(tmp_path: Path) -> None:
    detail, _, clock = seen(tmp_path, opened().chats(STARTS, NOW, 100))
    offer = buy_offer(detail, None, PRICES, 2, clock)

    assert told(offer.button) == "Buy 2 packs for 200 USD"
    assert told(offer.lines[0]) == "The first pack replaces the complimentary sessions: the 400 that are left end now."
    assert told(offer.lines[1]) == "After it 2,000 of 2,000 sessions remain."
    assert told(offer.lines[-1]) == "From then on 2 packs for 200 USD every month, until you reduce them."


def test_a_reduction_says_when_and_what_stays(tmp_path: Path) -> None:
    detail, _, clock = seen(tmp_path, opened().buy(STARTS, 3))
    offer = reduce_offer(detail, None, PRICES, 3, clock)

    assert told(offer.headline) == "No packs from 1 December."
    assert told(offer.lines[0]) == "This cycle keeps its 3 packs; nothing is refunded."
    assert "chats go to your agents" in offer.lines[1]


def test_a_threshold_below_what_is_used_does_not_tell_at_once(tmp_path: Path) -> None:
    detail, _, clock = seen(tmp_path, opened().buy(STARTS, 1).chats(STARTS, NOW, 600))
    lines = [told(line) for line in settings_page.threshold_lines(detail, [50, 90], clock)]

    assert lines[0].startswith("50 % is passed already: no alert now")
    assert lines[1] == "90 %: alert at 900 sessions, 300 from now."


def test_auto_recharge_tells_its_next_charge(tmp_path: Path) -> None:
    detail, queries, clock = seen(tmp_path, opened().buy(STARTS, 1).chats(STARTS, NOW, 600))
    burn = queries.burn_down("acme", NOW)
    forecast = burn.forecast if burn else None
    later = settings_page.recharge_lines(detail, forecast, PRICES, AutoRecharge(300, 1), clock)
    at_once = settings_page.recharge_lines(detail, forecast, PRICES, AutoRecharge(500, 2), clock)

    assert told(later[0]) == (
        "Next charge: 1 pack for 100 USD, when fewer than 300 of 1,000 remain. Likely on 24 November."
    )
    assert told(at_once[0]) == "Only 400 remain, fewer than 500: the next session buys 2 packs for 200 USD."


def as_sent(rows: Sequence[dict[str, Any]]) -> FormData:
    """What a browser sends of a form with these contacts."""
    fields = [(name, row[name]) for row in rows for name in ("email", "name", "locale")]
    ticked = [(f"alerts-{number}", kind) for number, row in enumerate(rows) for kind in row["alerts"]]
    return FormData([*fields, *ticked])


def test_contacts_go_through_the_form_and_stay_what_they_are() -> None:
    known = (
        "b@acme.example",
        ContactDetails("a@acme.example", "Ann", "de-AT", ("sessions_exhausted",)),
        ContactDetails("c@acme.example", locale="en"),
        ContactDetails("d@acme.example", alerts=()),
    )
    shown = contacts_shown(known)

    assert contacts_from(as_sent(shown["rows"])) == [
        "b@acme.example",
        {"email": "a@acme.example", "name": "Ann", "locale": "de-AT", "alerts": ["sessions_exhausted"]},
        {"email": "c@acme.example", "locale": "en"},
        {"email": "d@acme.example", "alerts": []},
    ]
    assert told(shown["says"]) == "4 people get a mail when an alert fires."


def test_who_is_emptied_is_told_nothing_and_the_others_keep_what_they_want() -> None:
    rows = contacts_shown(["gone@acme.example", ContactDetails("a@acme.example", alerts=("projected",))])["rows"]
    rows[0]["email"] = " "

    assert contacts_from(as_sent(rows)) == [{"email": "a@acme.example", "alerts": ["projected"]}]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 11, 2), 24)])
def test_a_day_is_drawn_with_the_hours_that_its_zone_gives_it(tmp_path: Path, day: date, hours: int) -> None:
    clock = Clock("America/New_York", NOW)
    begin, end = clock.midnight(day), clock.midnight(day + timedelta(days=1))
    story = Story("acme").open(begin - DAY, time_zone="America/New_York", anchor=begin - DAY)
    for at in range(begin + HOUR // 2, end, HOUR):
        story.chat(at)
    _, queries, clock = seen(tmp_path, story, now=end)
    by_hour = queries.usage("acme", begin, end, bucket="hour")
    by_day = queries.usage("acme", begin, end, bucket="day")
    assert by_hour is not None
    assert by_day is not None

    chart = usage_chart(by_hour, clock, "says", {}, cumulative=False)
    bars = [drawing.count("<rect") for drawing in chart.split("<svg")[1:]]
    assert set(bars) == {hours}  # in each width one for each hour
    [name] = [bucket_name(bucket, by_day, clock) for bucket in by_day.buckets]
    assert name.endswith(f"a day of {hours} hours") == (hours != 24)
    assert by_day.total == hours


def test_moments_are_those_of_the_account() -> None:
    clock = Clock("Asia/Kolkata", ms("2026-11-21T20:00"))  # there it is the 22nd already

    assert told(clock.when(ms("2026-11-21T18:40"))) == "today 00:10"
    assert told(clock.when(ms("2026-11-21T18:20"))) == "yesterday 23:50"
    assert clock.offset == "UTC+5:30"
    assert told(clock.end(ms("2026-11-30T18:30"))) == "at the end of 30 November"
    assert told(clock.end(ms("2027-01-05T09:00"))) == "on 5 January 2027 at 14:30"
    assert told(clock.span(ms("2026-10-31T18:30"), ms("2026-11-30T18:30"))) == "1 to 30 Nov"


def test_numbers_are_written_for_people() -> None:
    assert told(some(1, "pack")) == "1 pack"
    assert told(some(1_987, "session")) == "1,987 sessions"
    assert signed(-388) == "\u2212388"
    assert told(money(PRICES.charge(3))) == "300 USD"
    assert told(about(1_234)) == "about 1,200"
    assert told(lasting(6.2)) == "6 days"


@given(st.integers(0, 10**9))
def test_an_axis_reaches_what_it_shows_in_few_round_steps(highest: int) -> None:
    steps = steps_up_to(highest)

    assert steps[0] == 0
    assert steps[-1] >= highest
    assert 2 <= len(steps) <= 5
