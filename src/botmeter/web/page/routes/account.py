"""The page of one account, its parts, its sessions and its history."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from botmeter.readside.results import Bucket, Forecast, Scenario, SessionFilter, UsageBy
from botmeter.web.page import overview
from botmeter.web.page.lists import why_part
from botmeter.web.page.moments import DAY_MS, Clock
from botmeter.web.page.notices import Notice
from botmeter.web.page.numbers import some
from botmeter.web.page.overview import PACKS_MAX, UsageView
from botmeter.web.page.timeline import lines
from botmeter.web.page.visit import Visit, VisitDep
from botmeter.web.page.what_if_page import advice_part
from botmeter.web.problems import invalid, not_found

router = APIRouter(include_in_schema=False, prefix="/billing/accounts/{account}")

_LATEST = 8
_EVENTS = 9
_ROWS = 50
#: The most days whose hours are drawn: more bars could not be read.
_HOURS_MS = 7 * DAY_MS

Packs = Annotated[int, Query(ge=1, le=PACKS_MAX)]
Cursor = Annotated[str | None, Query(max_length=1_000)]
Text = Annotated[str, Query(max_length=256)]


@router.get("")
def account_page(
    visit: VisitDep,
    bucket: Bucket = "day",
    by: UsageBy | None = None,
    cumulative: bool = False,  # noqa: FBT001, FBT002 - a parameter of the address
    packs: Packs = 1,
) -> HTMLResponse:
    """The overview of an account."""
    view = UsageView(bucket, by or "mode", cumulative)
    warning = visit.context("overview")["freshness"].warning
    notice = {"notice": Notice("amber", "These numbers are behind.", warning)} if warning else {}
    return visit.page("account.html", "overview", overview_parts(visit, view, packs), notice)


def overview_parts(visit: Visit, view: UsageView, packs: int = 1) -> dict[str, Any]:
    """Returns the context of the overview."""
    burn = visit.burn_down()
    forecast = burn.forecast if burn else None
    return {
        **overview.live_part(visit.detail, forecast, visit.suspension(), visit.prices, visit.clock),
        **(overview.burn_down_part(burn, visit.detail.summary.total, visit.clock) if burn else {}),
        **_usage(visit, view),
        **_packs(visit, forecast, packs),
        **_timeline(visit),
        **_latest(visit),
    }


def packs_of(visit: Visit, packs: int = 1) -> dict[str, Any]:
    """Returns the context of the card of packs with its forms."""
    burn = visit.burn_down()
    return _packs(visit, burn.forecast if burn else None, packs)


def _packs(visit: Visit, forecast: Forecast | None, packs: int) -> dict[str, Any]:
    return overview.packs_part(
        visit.detail,
        forecast,
        visit.prices,
        visit.clock,
        may_buy=visit.may_buy,
        is_with_money=visit.access.sees_money,
        packs=packs,
    )


def _usage(visit: Visit, view: UsageView) -> dict[str, Any]:
    cycle, now = visit.detail.cycle, visit.clock.now
    until = min(cycle.ends_at, now + 1) if visit.detail.summary.state == "closed" else cycle.ends_at
    since = cycle.starts_at
    if view.bucket == "hour":
        since, until = max(cycle.starts_at, now - _HOURS_MS), min(until, now + 1)
    series = visit.queries.usage(visit.account_id, since, max(until, since + 1), bucket=view.bucket, by=view.by)
    if series is None:
        raise not_found("account")
    return overview.usage_part(series, view, visit.clock)


def _timeline(visit: Visit) -> dict[str, Any]:
    page = visit.queries.timeline(visit.account_id, limit=3 * _EVENTS)
    shown = lines(page.entries, visit.clock, is_with_money=visit.access.sees_money)
    return {"timeline": shown[:_EVENTS], "timeline_more": len(shown) > _EVENTS or page.next_cursor is not None}


def _latest(visit: Visit) -> dict[str, Any]:
    return {"sessions": visit.queries.sessions(visit.account_id, SessionFilter(), limit=_LATEST).sessions}


@router.get("/parts/burn-down")
def burn_down(visit: VisitDep) -> HTMLResponse:
    """The burn-down, refreshed."""
    burn = visit.burn_down()
    if burn is None:
        raise not_found("account")
    part = overview.burn_down_part(burn, visit.detail.summary.total, visit.clock)
    return visit.page("parts/burn_down.html", "overview", part)


@router.get("/parts/usage")
def usage(
    visit: VisitDep,
    bucket: Bucket = "day",
    by: UsageBy = "mode",
    cumulative: bool = False,  # noqa: FBT001, FBT002 - a parameter of the address
) -> HTMLResponse:
    """The usage chart with other options."""
    return visit.page("parts/usage.html", "overview", _usage(visit, UsageView(bucket, by, cumulative)))


@router.get("/parts/packs")
def packs_card(visit: VisitDep) -> HTMLResponse:
    """The card of packs, refreshed."""
    return visit.page("parts/packs.html", "overview", packs_of(visit))


@router.get("/parts/buy")
def buy(visit: VisitDep, packs: Packs = 1) -> HTMLResponse:
    """What buying `packs` packs would cost and do."""
    return visit.page("parts/buy_effect.html", "overview", _offers(visit, packs, "buy_offer", "buy"))


@router.get("/parts/reduce")
def reduce(visit: VisitDep, packs: Packs = 1) -> HTMLResponse:
    """What reducing by `packs` packs would do."""
    return visit.page("parts/reduce_effect.html", "overview", _offers(visit, packs, "reduce_offer", "reduce"))


def _offers(visit: Visit, packs: int, function: str, name: str) -> dict[str, Any]:
    if not visit.may_buy or visit.detail.summary.state == "closed":
        raise not_found("offer")
    burn = visit.burn_down()
    offer = getattr(overview, function)
    return {name: offer(visit.detail, burn.forecast if burn else None, visit.prices, packs, visit.clock)}


@router.get("/parts/advice")
def advice(visit: VisitDep) -> HTMLResponse:
    """How many packs would fit. The page requests it once it is loaded, because the replay takes a moment."""
    found = advice_part(visit.queries.what_if(visit.account_id, Scenario()), visit.detail)
    return visit.page("parts/advice.html", "overview", {"advice": found})


@router.get("/parts/timeline")
def timeline(visit: VisitDep) -> HTMLResponse:
    """The timeline, refreshed."""
    return visit.page("parts/timeline.html", "overview", _timeline(visit))


@router.get("/parts/latest")
def latest(visit: VisitDep) -> HTMLResponse:
    """The latest sessions, refreshed."""
    return visit.page("parts/latest_sessions.html", "overview", _latest(visit))


@router.get("/history")
def history(visit: VisitDep, cursor: Cursor = None) -> HTMLResponse:
    """All events, one page at a time."""
    try:
        page = visit.queries.timeline(visit.account_id, limit=_ROWS, cursor=cursor)
    except ValueError as error:
        raise invalid(str(error)) from None
    shown = lines(page.entries, visit.clock, is_with_money=visit.access.sees_money)
    return visit.page("history.html", "history", {"timeline": shown, "next_cursor": page.next_cursor})


@router.get("/sessions")
def sessions(
    visit: VisitDep,
    end_user_id: Text = "",
    bot_id: Text = "",
    widget: Text = "",
    preview: Text = "",
    cycle: Text = "",
    since: Text = "",
    until: Text = "",
    cursor: Cursor = None,
) -> HTMLResponse:
    """The session explorer."""
    parameters = {
        "end_user_id": end_user_id,
        "bot_id": bot_id,
        "widget": widget,
        "preview": preview,
        "cycle": cycle,
        "since": since,
        "until": until,
    }
    filters = SessionFilter(
        since=_midnight(since, visit.clock),
        until=_midnight(until, visit.clock, days=1),
        end_user_id=end_user_id.strip() or None,
        bot_id=bot_id.strip() or None,
        widget="conversations" if widget == "conversations" else "self_service" if widget == "self_service" else None,
        preview={"true": True, "false": False}.get(preview),
        cycle_number=int(cycle) if cycle.isascii() and cycle.isdigit() and len(cycle) < 7 else None,
    )
    try:
        page = visit.queries.sessions(visit.account_id, filters, limit=_ROWS, cursor=cursor)
    except ValueError as error:
        raise invalid(str(error)) from None
    part = {
        "sessions": page.sessions,
        "says": _summary(len(page.sessions), is_all=page.next_cursor is None and cursor is None),
        "export": _export_url(visit.account_id, filters, visit.clock),
        "wanted": parameters,
        "is_searched": any(parameters.values()),
        "cycle_choices": visit.queries.cycles(visit.account_id),
        "next_query": urlencode({**parameters, "cursor": page.next_cursor}) if page.next_cursor else "",
    }
    return visit.page("sessions.html", "sessions", part)


def _midnight(day: str, clock: Clock, days: int = 0) -> int | None:
    """Returns the start of a day that a person entered, or of the day `days` later; None when it is not a day."""
    try:
        return clock.midnight(date.fromisoformat(day) + timedelta(days=days))
    except (ValueError, OverflowError):
        return None


def _summary(number: int, *, is_all: bool) -> str:
    return f"{some(number, 'session')}, newest first." if is_all else "Newest first."


def _export_url(account_id: str, filters: SessionFilter, clock: Clock) -> str:
    """Returns the API's URL of all these sessions as a file, up to the name of the format."""
    moments = {"since": filters.since, "until": filters.until}
    parameters = {
        "end_user_id": filters.end_user_id,
        "bot_id": filters.bot_id,
        "widget": filters.widget,
        "preview": None if filters.preview is None else str(filters.preview).lower(),
        "cycle": filters.cycle_number,
        **{name: None if at is None else clock.iso(at) for name, at in moments.items()},
    }
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"/v1/accounts/{quote(account_id, safe='')}/sessions?{query}{'&' if query else ''}format="


@router.get("/sessions/{session_id}")
def session(request: Request, visit: VisitDep, session_id: str) -> HTMLResponse:
    """Why a session was charged: as a row below the session's row, or as a page."""
    is_id = len(session_id) == 32 and set(session_id) <= set("0123456789abcdef")
    found = visit.queries.explain(session_id) if is_id else None
    if found is None or found.session.account_id != visit.account_id:
        raise not_found("session")
    template = "parts/why_row.html" if request.headers.get("HX-Request") else "session.html"
    return visit.page(template, "sessions", why_part(found, visit.clock))
