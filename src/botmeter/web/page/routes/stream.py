"""The one stream of an open page."""

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
from botmeter.web.page.asking import now_ms, prices_of
from botmeter.web.page.freshness import shown
from botmeter.web.page.live import Live
from botmeter.web.page.moments import Clock
from botmeter.web.services import Asked

router = APIRouter(include_in_schema=False)

#: A stream ends after this time and the browser asks again, so that who is logged out does not watch on.
_LASTS_S: Final = 900.0


def _watched(account: str, caller: Caller) -> str:
    """The account, before the answer begins."""
    account_id = rendering.account_of(account)
    require_account(caller, account_id)
    return account_id


@router.get("/billing/accounts/{account}/stream", response_class=EventSourceResponse)
async def stream(
    request: Request, account_id: Annotated[str, Depends(_watched)], queries: Asked
) -> AsyncIterator[ServerSentEvent]:
    """Events by which the page renews itself."""
    messages = _live(request, queries).watch(account_id)
    try:
        async with asyncio.timeout(_LASTS_S):
            async for message in messages:
                yield ServerSentEvent(event=message.name, raw_data=message.data, id=str(message.number))
    except TimeoutError:
        return
    finally:
        await messages.aclose()  # type: ignore[attr-defined]


def _live(request: Request, queries: Queries) -> Live:
    """The application's, made when the first page is opened."""
    state = request.app.state
    if not hasattr(state, "live"):
        prices = prices_of(request)

        def draw_state(account_id: str) -> str:
            return drawn_state(queries, prices, account_id)

        def draw_age(account_id: str) -> str:
            return drawn_age(queries, account_id)

        state.live = Live(queries, draw_state, draw_age)
    live: Live = state.live
    return live


def drawn_state(queries: Queries, prices: PriceBook, account_id: str) -> str:
    """The answer, the numbers and the bar; nothing of it depends on who watches."""
    now = now_ms()
    detail = queries.account(account_id, now)
    if detail is None:
        return ""
    clock = Clock(detail.summary.time_zone, now)
    burn = queries.burn_down(account_id, now)
    latest = queries.suspensions(account_id, 1) if detail.summary.state == "exhausted" else ()
    part = overview.live_part(detail, burn.forecast if burn else None, latest[0] if latest else None, prices, clock)
    told = {"detail": detail, "clock": clock, "freshness": shown(detail.freshness, clock), **part}
    return rendering.render("parts/live.html", told)


def drawn_age(queries: Queries, account_id: str) -> str:
    """How old the numbers are."""
    now = now_ms()
    freshness = queries.freshness(now, account_id)
    if freshness is None:
        return ""
    return rendering.render("parts/age.html", {"freshness": shown(freshness, Clock("UTC", now))})
