"""The list of accounts, for callers who see more than one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from botmeter.readside.results import SortBy
from botmeter.web.access.guard import Caller
from botmeter.web.page import rendering
from botmeter.web.page.lists import STATES, accounts_part
from botmeter.web.page.visit import now_ms
from botmeter.web.problems import invalid
from botmeter.web.services import QueriesDep

router = APIRouter(include_in_schema=False)

_ROWS = 50


@router.get("/billing/accounts")
def accounts(
    request: Request,
    caller: Caller,
    queries: QueriesDep,
    search: Annotated[str, Query(max_length=256)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    sort: SortBy = "risk",
    cursor: Annotated[str | None, Query(max_length=1_000)] = None,
) -> HTMLResponse:
    """The accounts, filtered, and sorted by the risk of running out."""
    now = now_ms()
    only = None if caller.is_operator else sorted(caller.accounts)
    chosen = next((one for one in STATES if one == state), None)
    try:
        found = queries.accounts(search=search, state=chosen, only=only, sort=sort, limit=_ROWS, cursor=cursor, now=now)
    except ValueError as error:
        raise invalid(str(error)) from None
    parameters = {"search": search, "state": chosen or "", "sort": sort}
    part = {
        **parameters,
        "here": "accounts",
        "next_query": urlencode({**parameters, "cursor": found.next_cursor}) if found.next_cursor else "",
    }
    context = rendering.visitor_context(caller, request.cookies.get(rendering.THEME_COOKIE)) | part
    return HTMLResponse(
        rendering.render("accounts.html", context | accounts_part(found, queries.count_by_state(only), parameters, now))
    )
