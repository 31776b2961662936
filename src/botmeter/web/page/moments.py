"""Times as the page writes them: in the account's time zone, 24 hours, English."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from botmeter.web.page.numbers import FIXED, MINUS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The account's time zone, and the time (UTC ms) at which the page is rendered."""

    time_zone: str
    now: int

    def local(self, at: int) -> datetime:
        """Returns the moment in the account's local time."""
        return (_EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(self.time_zone))

    def iso(self, at: int) -> str:
        """For `<time datetime>`: `2026-11-27T14:02:05+05:30`."""
        return self.local(at).isoformat(timespec="seconds")

    def day(self, at: int) -> str:
        """`27 November`, with the year when it is not the current one."""
        there = self.local(at)
        year = f" {there.year}" if there.year != self.local(self.now).year else ""
        return f"{there.day}{FIXED}{_MONTHS[there.month - 1]}{year}"

    def short_day(self, at: int) -> str:
        """`27 Nov`, with the year when it is not the current one."""
        there = self.local(at)
        year = f" {there.year}" if there.year != self.local(self.now).year else ""
        return f"{there.day}{FIXED}{_MONTHS[there.month - 1][:3]}{year}"

    def time(self, at: int) -> str:
        """`14:02`."""
        return f"{self.local(at):%H:%M}"

    def seconds(self, at: int) -> str:
        """`14:02:05`."""
        return f"{self.local(at):%H:%M:%S}"

    def when(self, at: int) -> str:
        """`today 14:02`, `yesterday 23:10`, `27 Nov`: for lists of events."""
        days = self.days_until(at)
        if days in (0, -1):
            return f"{'yesterday' if days else 'today'}{FIXED}{self.time(at)}"
        return self.short_day(at)

    def when_exactly(self, at: int) -> str:
        """`today 14:02:05`, `27 Nov 14:02:05`: for lists of sessions."""
        days = self.days_until(at)
        day = {0: "today", -1: "yesterday"}.get(days) or self.short_day(at)
        return f"{day} {self.seconds(at)}"

    def since(self, at: int) -> str:
        """`14:02`, `14:02 yesterday`, `14:02 on 3 November`: after the word since."""
        days = self.days_until(at)
        if days == 0:
            return self.time(at)
        return f"{self.time(at)} yesterday" if days == -1 else f"{self.time(at)} on {self.day(at)}"

    def exact(self, at: int) -> str:
        """`27 Nov 14:02:05`: for records."""
        return f"{self.short_day(at)} {self.seconds(at)}"

    def day_and_time(self, at: int) -> str:
        """`27 November, 14:02`."""
        return f"{self.day(at)}, {self.time(at)}"

    def end(self, ends_at: int) -> str:
        """When a span ends: `at the end of 30 November` for midnight, else `on 30 November at 19:00`."""
        if self.time(ends_at) == "00:00":
            return f"at the end of {self.day(ends_at - 1)}"
        return f"on {self.day(ends_at)} at{FIXED}{self.time(ends_at)}"

    def short_end(self, ends_at: int) -> str:
        """When a span ends, on a chart: `with 30 Nov`, `30 Nov, 19:00`."""
        if self.time(ends_at) == "00:00":
            return f"with {self.short_day(ends_at - 1)}"
        return f"{self.short_day(ends_at)}, {self.time(ends_at)}"

    def span(self, starts_at: int, ends_at: int) -> str:
        """`1 to 30 Nov`, `31 Oct to 29 Nov`."""
        first, last = self.local(starts_at), self.local(ends_at - 1)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day} to {self.short_day(ends_at - 1)}"
        return f"{self.short_day(starts_at)} to {self.short_day(ends_at - 1)}"

    def long_span(self, starts_at: int, ends_at: int) -> str:
        """`1 to 30 November 2026`, `8 October to 7 November 2026`: for the head of a statement."""
        first, last = self.local(starts_at), self.local(ends_at - 1)
        year = f" {first.year}" if first.year != last.year else ""
        month = f" {_MONTHS[first.month - 1]}{year}" if (first.year, first.month) != (last.year, last.month) else ""
        return f"{first.day}{month} to {last.day}{FIXED}{_MONTHS[last.month - 1]} {last.year}"

    def days_until(self, at: int) -> int:
        """Calendar days from today to the day of a moment; negative for past days."""
        return (self.calendar_day(at) - self.calendar_day(self.now)).days

    def days_between(self, first: int, last: int) -> int:
        """Calendar days from the day of one moment to the day of another."""
        return (self.calendar_day(last) - self.calendar_day(first)).days

    def calendar_day(self, at: int) -> date:
        """The calendar day of a moment."""
        return self.local(at).date()

    def midnight(self, day: date) -> int:
        """Returns the start of a calendar day, UTC ms; where midnight does not exist, the first moment that does."""
        local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.time_zone))
        return int((local - _EPOCH) / timedelta(milliseconds=1))

    @property
    def offset(self) -> str:
        """The zone's current offset from UTC: `UTC+5:30`."""
        ahead = self.local(self.now).utcoffset() or timedelta()
        minutes = round(ahead.total_seconds() / 60)
        hours, rest = divmod(abs(minutes), 60)
        sign = "+" if minutes > 0 else MINUS
        return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def age(ms: int) -> str:
    """How old a number is: `now`, `4 s`, `3 min`, `5 h`, `2 days`."""
    for limit, unit, size in (
        (MINUTE_MS, "s", 1_000),
        (HOUR_MS, "min", MINUTE_MS),
        (2 * DAY_MS, "h", HOUR_MS),
    ):
        if ms < limit:
            return "now" if ms < 1_000 else f"{ms // size}{FIXED}{unit}"
    return f"{ms // DAY_MS}{FIXED}days"


def lasting(days: float) -> str:
    """How long sessions last, in words: `less than a day`, `a day`, `6 days`, `5 weeks`."""
    if days < 0.75:
        return "less than a day"
    if days < 1.5:
        return f"a{FIXED}day"
    return f"{round(days)}{FIXED}days" if days < 21 else f"{round(days / 7)}{FIXED}weeks"
