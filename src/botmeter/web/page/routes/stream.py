"""The stream of server-sent events of an open page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from botmeter.domain.prices import PriceBook
from botmeter.readside.queries import Queries
from botmeter.web.access.guard import Caller, require_account
from botmeter.web.page import overview, rendering
from botmeter.web.page.freshness import freshness_label
from botmeter.web.page.live import Live
from botmeter.web.page.moments import Clock
from botmeter.web.page.visit import now_ms, prices_of
from botmeter.web.services import QueriesDep

router = APIRouter(include_in_schema=False)

#: A stream ends after this time and the browser reconnects, so that a user whose login has expired stops watching.
_DURATION_S: Final = 900.0


def _account_id(account: str, caller: Caller) -> str:
    """Checks the account before the response begins."""
    account_id = rendering.account_of(account)
    require_account(caller, account_id)
    return account_id


@router.get("/billing/accounts/{account}/stream", response_class=EventSourceResponse)
async def stream(
    request: Request, account_id: Annotated[str, Depends(_account_id)], queries: QueriesDep
) -> AsyncIterator[ServerSentEvent]:
    """Events by which the page refreshes itself."""
    messages = _live(request, queries).watch(account_id)
    try:
        async with asyncio.timeout(_DURATION_S):
            async for message in messages:
                yield ServerSentEvent(event=message.name, raw_data=message.data, id=str(message.number))
    except TimeoutError:
        return
    finally:
        await messages.aclose()  # type: ignore[attr-defined]


def _live(request: Request, queries: Queries) -> Live:
    """Returns the application's `Live`; it is created when the first page is opened."""
    state = request.app.state
    if not hasattr(state, "live"):
        prices = prices_of(request)

        state.live = Live(
            queries,
            lambda account_id: render_state(queries, prices, account_id),
            lambda account_id: render_age(queries, account_id),
        )
    live: Live = state.live
    return live


def render_state(queries: Queries, prices: PriceBook, account_id: str) -> str:
    """Renders the answer, the numbers and the bar; they are the same for every watcher."""
    now = now_ms()
    detail = queries.account(account_id, now)
    if detail is None:
        return ""
    clock = Clock(detail.summary.time_zone, now)
    burn = queries.burn_down(account_id, now)
    latest = queries.suspensions(account_id, 1) if detail.summary.state == "exhausted" else ()
    part = overview.live_part(detail, burn.forecast if burn else None, latest[0] if latest else None, prices, clock)
    context = {"detail": detail, "clock": clock, "freshness": freshness_label(detail.freshness, clock), **part}
    return rendering.render("parts/live.html", context)


def render_age(queries: Queries, account_id: str) -> str:
    """Renders how old the numbers are."""
    now = now_ms()
    freshness = queries.freshness(now, account_id)
    if freshness is None:
        return ""
    return rendering.render("parts/age.html", {"freshness": freshness_label(freshness, Clock("UTC", now))})
