"""The questions of the page: usage, burn-down, lists and their cursors, explanations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from sqlalchemy import Engine

from botmeter.domain import events as ev
from botmeter.domain.events import Event, InteractionCause
from botmeter.domain.prices import DAY_MS, HOUR_MS, PriceBook, Rules
from botmeter.readside.queries import Queries
from botmeter.readside.results import SessionFilter

from .journals import NOW, Journal, journal_of, journals, project_all
from .plain_fold import Told, fold
from .test_local_time import at
from .test_projection_properties import copied, template

__all__ = ["template"]

ZONE = "America/New_York"


@pytest.fixture(scope="module")
def lived(template: Path) -> Iterator[tuple[Queries, dict[str, Told]]]:
    """A read side of three accounts with long lives."""
    events, _ = journal_of(11, 3, 400, Rules(prices=PriceBook(10, 100, "USD", 5)))
    with TemporaryDirectory() as directory:
        engine = copied(template, directory)
        project_all(engine, events)
        yield Queries(engine), fold(events)
        engine.dispose()


# --- Usage -----------------------------------------------------------------------------------------------------------


def opened_in(zone: str, moment: int) -> list[Event]:
    cause = ev.CommandCause("billing.commands", 0, 0, "k", 0)
    return [
        ev.AccountOpened(
            "acme", 1, moment, cause, "growth", "monthly", moment, zone, (), (80,), moment, moment + 30 * DAY_MS
        ),
        ev.ComplimentaryGranted("acme", 2, moment, cause, 500),
    ]  # fmt: skip


def session(version: int, started_at: int, **changed: object) -> Event:
    told = {"bot_id": "b-1", "widget": "conversations", "preview": False, **changed}
    return ev.SessionStarted(
        "acme", version, started_at, InteractionCause("chat.interactions", 0, version, f"e-{version}"),
        session_id=f"{version:032x}", end_user_id=f"u-{version}", started_at=started_at, ends_at=started_at + DAY_MS,
        cycle_number=1, pool="complimentary", used=version - 2, conversation_id=f"c-{version}", **told,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_the_day_on_which_the_clocks_change_has_its_hours(engine: Engine, day: str, hours: int) -> None:
    midnight = at(day, ZONE)
    opening = opened_in(ZONE, midnight - 5 * DAY_MS)
    moments = [midnight - 1, *(midnight + n * HOUR_MS for n in range(hours)), midnight + hours * HOUR_MS]
    project_all(engine, [*opening, *(session(number + 3, moment) for number, moment in enumerate(moments))])
    queries = Queries(engine)

    by_hour = queries.usage("acme", midnight, midnight + hours * HOUR_MS, bucket="hour")
    by_day = queries.usage("acme", midnight - 1, midnight + hours * HOUR_MS + 1)

    assert by_hour is not None
    assert [bucket.sessions for bucket in by_hour.buckets] == [1] * hours
    assert by_hour.buckets[-1].cumulative == by_hour.total == hours
    assert by_day is not None
    assert [bucket.sessions for bucket in by_day.buckets] == [1, hours, 1]
    assert by_day.buckets[1].ends_at - by_day.buckets[1].starts_at == hours * HOUR_MS


def test_usage_is_told_by_widget_bot_and_mode_and_empty_hours_are_there(engine: Engine) -> None:
    begin = at("2026-06-01", ZONE)
    project_all(engine, [
        *opened_in(ZONE, begin),
        session(3, begin + 1, bot_id="b-1"),
        session(4, begin + 2, bot_id="b-2", widget="self_service"),
        session(5, begin + 3 * HOUR_MS, bot_id="b-2", preview=True),
    ])  # fmt: skip
    queries = Queries(engine)

    found = {
        by: queries.usage("acme", begin, begin + 4 * HOUR_MS, bucket="hour", by=by) for by in ("bot", "widget", "mode")
    }

    told = {
        by: (each.keys, [bucket.parts for bucket in each.buckets]) for by, each in found.items() if each is not None
    }
    assert told["bot"] == (("b-2", "b-1"), [(1, 1), (0, 0), (0, 0), (1, 0)])
    assert told["widget"] == (("conversations", "self_service"), [(1, 1), (0, 0), (0, 0), (1, 0)])
    assert told["mode"] == (("live", "preview"), [(2, 0), (0, 0), (0, 0), (0, 1)])


@given(journals)
@settings(max_examples=40)
def test_a_burn_down_goes_from_the_opening_to_what_remains(template: Path, journal: Journal) -> None:
    events, _ = journal
    with TemporaryDirectory() as directory:
        engine = copied(template, directory)
        project_all(engine, events)
        queries = Queries(engine)
        now = max(event.at for event in events) + HOUR_MS
        for account_id, told in fold(events).items():
            for number, counted in told.cycles.items():
                found = queries.burn_down(account_id, now, number)
                assert found is not None
                assert [point.at for point in found.points] == sorted(point.at for point in found.points)
                assert all(point.remaining >= 0 for point in found.points)
                left = (
                    told.account.allowance.remaining if found.is_current else counted.remaining + _lapsed(told, number)
                )
                assert found.points[-1].remaining == left
        engine.dispose()


def _lapsed(told: Told, number: int) -> int:
    """What expired with the cycle: the line ends just before."""
    return told.cycles[number].expired


# --- Lists -----------------------------------------------------------------------------------------------------------


def test_pages_of_sessions_follow_each_other(lived: tuple[Queries, dict[str, Told]]) -> None:
    queries, told = lived
    for account_id, each in told.items():
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = queries.sessions(account_id, SessionFilter(), limit=7, cursor=cursor)
            found += [row.session_id for row in page.sessions]
            if (cursor := page.next_cursor) is None:
                break
        newest_first = sorted(each.sessions, key=lambda one: (one.started_at, one.version), reverse=True)
        assert found == [one.session_id for one in newest_first]


def test_pages_of_events_follow_each_other(lived: tuple[Queries, dict[str, Told]]) -> None:
    queries, told = lived
    for account_id in told:
        whole = queries.timeline(account_id, limit=1_000).entries
        found, cursor = (
            list(queries.timeline(account_id, limit=3).entries),
            queries.timeline(account_id, limit=3).next_cursor,
        )
        while cursor is not None:
            page = queries.timeline(account_id, limit=3, cursor=cursor)
            found, cursor = [*found, *page.entries], page.next_cursor
        assert tuple(found) == whole


def test_sessions_are_filtered_by_every_field(lived: tuple[Queries, dict[str, Told]]) -> None:
    queries, told = lived
    for account_id, each in told.items():
        for one in each.sessions[::5]:
            filters = [
                SessionFilter(end_user_id=one.end_user_id), SessionFilter(bot_id=one.bot_id),
                SessionFilter(widget=one.widget), SessionFilter(preview=one.preview),
                SessionFilter(cycle_number=one.cycle_number), SessionFilter(since=one.started_at),
                SessionFilter(until=one.started_at),
            ]  # fmt: skip
            for wanted in filters:
                found = {row.session_id for row in queries.all_sessions(account_id, wanted)}
                assert found == {s.session_id for s in each.sessions if _matches(s, wanted)}, wanted


def _matches(one: ev.SessionStarted, wanted: SessionFilter) -> bool:
    return (
        wanted.end_user_id in {None, one.end_user_id}
        and wanted.bot_id in {None, one.bot_id}
        and wanted.widget in {None, one.widget}
        and wanted.preview in {None, one.preview}
        and wanted.cycle_number in {None, one.cycle_number}
        and (wanted.since is None or one.started_at >= wanted.since)
        and (wanted.until is None or one.started_at < wanted.until)
    )


@pytest.mark.parametrize("cursor", ["", "rubbish", "é", "WzFd", "WyJyaXNrIiwxXQ", "W251bGxd"])
def test_a_text_that_is_no_cursor_of_the_list_is_refused(lived: tuple[Queries, dict[str, Told]], cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        lived[0].sessions("acme", SessionFilter(), cursor=cursor)


def test_accounts_come_by_risk_and_are_searched_counted_and_paged(lived: tuple[Queries, dict[str, Told]]) -> None:
    queries, told = lived
    whole = queries.accounts(now=NOW).accounts
    first = queries.accounts(limit=1, now=NOW)
    second = queries.accounts(limit=2, cursor=first.next_cursor, now=NOW)

    assert first.accounts + second.accounts == whole
    assert second.next_cursor is None
    order = {"exhausted": 0, "near_end": 1, "active": 1, "closed": 2}
    assert all(order[a.state] <= order[b.state] for a, b in pairwise(whole))
    assert [row.account_id for row in queries.accounts(search="ACM", now=NOW).accounts] == ["acme"]
    assert [row.account_id for row in queries.accounts(sort="account_id", now=NOW).accounts] == sorted(told)
    assert [row.account_id for row in queries.accounts(only=["initech"], now=NOW).accounts] == ["initech"]
    assert sum(queries.count_by_state().values()) == len(told)
    assert sum(queries.count_by_state(only=["acme"]).values()) == 1


@given(journals)
@settings(max_examples=10)
def test_the_list_foresees_what_the_accounts_own_page_does(template: Path, journal: Journal) -> None:
    events, _ = journal
    now = max(event.at for event in events) + HOUR_MS
    with TemporaryDirectory() as directory:
        engine = copied(template, directory)
        project_all(engine, events)
        queries = Queries(engine)
        for line in queries.accounts(now=now).accounts:
            burn = queries.burn_down(line.account_id, now)
            assert burn is not None
            known = burn.forecast if burn.forecast is not None and burn.forecast.is_founded else None
            assert line.runs_out_at == (known.runs_out_at if known else None)
            assert line.pace_per_day == (round(known.pace_per_day, 1) if known else None)
        engine.dispose()


@pytest.mark.parametrize("search", ["%", "_", "a%e", "\\"])
def test_a_search_means_what_it_says(lived: tuple[Queries, dict[str, Told]], search: str) -> None:
    assert lived[0].accounts(search=search, now=NOW).accounts == ()


# --- Explanations ----------------------------------------------------------------------------------------------------


def test_every_session_is_explained_from_the_journal(lived: tuple[Queries, dict[str, Told]]) -> None:
    queries, told = lived
    for each in told.values():
        for one in each.sessions:
            found = queries.explain(one.session_id)
            assert found is not None
            cause = one.cause
            assert isinstance(cause, InteractionCause)
            assert (found.session.cause.topic, found.session.cause.partition, found.session.cause.offset) == (
                cause.topic, cause.partition, cause.offset,
            )  # fmt: skip
            assert (found.used_before, found.used_after) == (one.used - 1, one.used)
            assert found.remaining_after == found.remaining_before - 1 == found.session.total - one.used
            assert (found.pack_number is None) or found.session.pool == "purchased"
            if found.previous is not None:
                assert found.previous.ends_at <= one.started_at or found.previous.started_at >= one.ends_at
            assert [entry.place.version for entry in found.led_to] == _same_cause(each.others, one)


def _same_cause(others: Sequence[Event], one: ev.SessionStarted) -> list[int]:
    """Versions of what the same interaction caused besides."""
    return [other.version for other in others if other.cause == one.cause and other.at == one.at]
