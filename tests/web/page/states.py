"""One account in each state that the page has a look for."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from botmeter.contracts.delivery import Delivery
from botmeter.domain import commands as cmd
from botmeter.domain.contacts import ContactDetails

from .stories import DAY, HOUR, MAYA, MINUTE, Story, deliver, project, told_by_mail

NEAR, OUT, QUIET, FRESH, FREE, CLOSED, LAGGING, LARGE, ONE = (
    "northwind-travel", "harbor-clinic", "lumen-books", "quartz-labs", "tiny-garden", "old-mill-cafe", "slow-river",
    "metro-transit", "first-steps",
)  # fmt: skip
ALL: Final = (NEAR, OUT, QUIET, FRESH, FREE, CLOSED, LAGGING, LARGE, ONE)
#: What a topic may bring into any field: it must be seen as text and do nothing.
HOSTILE: Final = "\"><img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>{{7*7}}'"
#: Longer than any screen is wide, with nowhere to break.
LONG: Final = "x" * 250


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def anchor_around(now: int, days_ago: int, time_zone: str = "UTC") -> int:
    """A midnight of the time zone, so many days ago: where a cycle begins."""
    zone = ZoneInfo(time_zone)
    there = datetime.fromtimestamp((now - days_ago * DAY) / 1000, zone)
    return int(datetime(there.year, there.month, there.day, tzinfo=zone).timestamp() * 1000)


def near(now: int, account_id: str = NEAR) -> Story:
    anchor = anchor_around(now, 20, "Asia/Kolkata")
    finance = ContactDetails("finance@northwind.example", "Finance", "de-AT", ("sessions_exhausted", "projected"))
    people = (MAYA, "ops@northwind.example", finance)
    story = Story(account_id).open(anchor - 28 * DAY, time_zone="Asia/Kolkata", contacts=people, anchor=anchor)
    story.chats(anchor - 27 * DAY, anchor - 24 * DAY, 288).buy(anchor - 24 * DAY, 2)
    story.obey(anchor - 23 * DAY, cmd.SetThresholds(story.name(), MAYA, (50, 80)))
    story.chats(anchor - 23 * DAY, anchor - DAY, 1_612).tick(anchor)
    weekday = (150, 142, 128, 118, 96, 44, 38)
    used = 0
    for day in range(20):
        begin = anchor + day * DAY
        if day == 10:
            story.buy(begin + 14 * HOUR, 1)
        wanted = weekday[day % 7] + (day * 13) % 23
        story.chats(begin + 8 * HOUR, begin + 20 * HOUR, wanted)
        used += wanted
    story.chats(anchor + 20 * DAY, now - 2 * MINUTE, 60)
    story.chats(now - 2 * MINUTE, now - MINUTE, max(2_010 + 400 - used - 60, 5))
    return story.obey(now - 30_000, cmd.ReducePacks(story.name(), MAYA, 1))


def exhausted(now: int) -> Story:
    anchor = anchor_around(now, 17, "Europe/London")
    story = Story(OUT).open(anchor - 40 * DAY, time_zone="Europe/London", contacts=(MAYA,), anchor=anchor)
    story.buy(anchor - 39 * DAY, 1).chats(anchor - 38 * DAY, anchor - 31 * DAY, 500).tick(anchor - 1).tick(anchor)
    story.chats(anchor + HOUR, now - 40 * MINUTE, 1_000)
    story.chats(now - 38 * MINUTE, now - MINUTE, 52)
    return story


def quiet(now: int) -> Story:
    anchor = anchor_around(now, 12, "America/New_York")
    story = Story(QUIET).open(anchor, plan="pro", time_zone="America/New_York", contacts=(MAYA,), anchor=anchor)
    return story.buy(anchor + HOUR, 3).chats(anchor + 2 * HOUR, now - HOUR, 640)


def fresh(now: int) -> Story:
    return Story(FRESH).open(now - 3 * HOUR, time_zone="Europe/Berlin", anchor=anchor_around(now, 1))


def one(now: int) -> Story:
    return Story(ONE).open(now - 3 * HOUR, anchor=anchor_around(now, 1)).chat(now - HOUR)


def free(now: int) -> Story:
    return Story(FREE).open(now - 5 * HOUR, plan="free", time_zone="Europe/Berlin", anchor=anchor_around(now, 1))


def closed(now: int) -> Story:
    anchor = anchor_around(now, 15)
    story = Story(CLOSED).open(anchor, time_zone="Europe/Paris", anchor=anchor).buy(anchor + HOUR, 1)
    story.chats(anchor + 2 * HOUR, now - 3 * DAY, 420)
    return story.obey(now - 2 * DAY, cmd.CloseAccount(story.name(), "crm"))


def lagging(now: int) -> Story:
    anchor = anchor_around(now, 9)
    story = Story(LAGGING).open(anchor, anchor=anchor).buy(anchor + HOUR, 1)
    return story.chats(anchor + 2 * HOUR, now - 5 * MINUTE, 380)


def large(now: int) -> Story:
    anchor = anchor_around(now, 25, "America/Sao_Paulo")
    story = Story(LARGE).open(anchor, plan="enterprise", time_zone="America/Sao_Paulo", anchor=anchor)
    return story.buy(anchor + HOUR, 120).chats(anchor + 2 * HOUR, now - MINUTE, 100_000)


def hostile(now: int, account_id: str = HOSTILE) -> Story:
    """Markup in every field that a topic may bring."""
    anchor = anchor_around(now, 5)
    story = Story(account_id).open(anchor, contacts=(HOSTILE,), anchor=anchor)
    story.obey(anchor + 1, cmd.SetThresholds(story.name(), HOSTILE, (1,)))
    for n in range(6):
        story.chat(anchor + HOUR + n, end_user=f"{n}{HOSTILE}", bot=f"{n}{HOSTILE}", conversation=f"{n}{HOSTILE}")
    story.obey(anchor + 2 * HOUR, cmd.CreditSessions(f"k{HOSTILE}", HOSTILE, 10, HOSTILE))
    story.obey(anchor + 3 * HOUR, cmd.ReducePacks(f"r{HOSTILE}", HOSTILE, 5))
    return story.obey(anchor + 4 * HOUR, cmd.InvalidCommand(f"i{HOSTILE}", HOSTILE, HOSTILE, HOSTILE))


def _reports(stories: list[Story]) -> list[Delivery]:
    """What became of alerts: three people are told, but of the last one somebody's mailbox is gone."""
    alerts = {story.account_id: story.events for story in stories}
    *sent, last = told_by_mail(alerts[NEAR], "m***@northwind.example", "o***@northwind.example", "f***@n.example")
    failed = replace(last, state="failed", attempts=3, reason="550 5.1.1 no such mailbox")
    return [*sent, failed, *told_by_mail(alerts[OUT], "m***@northwind.example")]


def fill(engine: Engine, now: int) -> None:
    """Projects all of them: one lags, the others are level for as long as the tests run."""
    level = [near(now), exhausted(now), quiet(now), fresh(now), free(now), closed(now), large(now), one(now)]
    events = [event for story in level for event in story.events]
    project(engine, events, partition=0, now=now, level_at=now + DAY)
    deliver(engine, _reports(level), now)
    project(engine, lagging(now).events, partition=1, now=now, level_at=now - 94_000)
    for empty in (2, 3):
        project(engine, [], partition=empty, now=now, level_at=now + DAY)


def fill_with_hostile_text(engine: Engine, now: int) -> None:
    """Projects accounts whose every text is markup, and one with an id wider than any screen."""
    events = [event for story in (hostile(now), hostile(now, LONG)) for event in story.events]
    for partition in range(4):
        project(engine, [] if partition else events, partition=partition, now=now, level_at=now + DAY)
    sent = told_by_mail(events, HOSTILE, f"two{HOSTILE}")
    deliver(engine, [replace(one, state="failed", reason=HOSTILE) for one in sent], now)
