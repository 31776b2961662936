"""Charged sessions: search, export, and why each was charged."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from botmeter.contracts.fields import ID_CHARACTERS_MAX
from botmeter.domain.sessions import Widget
from botmeter.readside.results import Explanation, SessionFilter, SessionPage, SessionRow
from botmeter.web.access.guard import Caller, require_account
from botmeter.web.api.accounts import account_etag
from botmeter.web.api.responses import (
    LIMIT,
    AccountId,
    Cursor,
    Cycle,
    Limit,
    Since,
    Until,
    json_response,
    moment_ms,
    not_modified,
)
from botmeter.web.api.tables import Format, wanted_format
from botmeter.web.api.wire import columns_of, model_of
from botmeter.web.problems import documented, invalid, not_found
from botmeter.web.services import QueriesDep

router = APIRouter(tags=["sessions"])

_ID_QUERY = Query(min_length=1, max_length=ID_CHARACTERS_MAX)


@router.get(
    "/accounts/{account_id:path}/sessions",
    summary="Sessions",
    response_model=model_of(SessionPage),
    responses=documented(401, 404, 422, 429),
)
def get_sessions(
    request: Request,
    account_id: AccountId,
    caller: Caller,
    queries: QueriesDep,
    since: Since = None,
    until: Until = None,
    end_user_id: Annotated[str | None, _ID_QUERY] = None,
    bot_id: Annotated[str | None, _ID_QUERY] = None,
    widget: Widget | None = None,
    preview: bool | None = None,  # noqa: FBT001 - a parameter of the address
    cycle: Cycle = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002 - the name in the address
) -> Response:
    """Sessions that started in `[since, until)`, newest first; CSV and NDJSON contain all of them, oldest first."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    filters = SessionFilter(
        since=moment_ms(since),
        until=moment_ms(until),
        end_user_id=end_user_id,
        bot_id=bot_id,
        widget=widget,
        preview=preview,
        cycle_number=cycle,
    )
    table = wanted_format(request, format)
    if table is not None:
        rows = queries.all_sessions(account_id, filters)
        columns = columns_of(SessionRow, money=caller.sees_money)
        return table.response(rows, columns, f"sessions-{account_id}", etag, money=caller.sees_money)
    try:
        found = queries.sessions(account_id, filters, limit=limit, cursor=cursor)
    except ValueError as error:
        raise invalid(f"cursor: {error}") from None
    return json_response(found, caller, etag)


@router.get(
    "/accounts/{account_id:path}/sessions/{session_id}",
    summary="Why a session was charged",
    response_model=model_of(Explanation),
    responses=documented(401, 404, 429),
)
def get_session(
    account_id: AccountId,
    session_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The session.")],
    caller: Caller,
    queries: QueriesDep,
) -> Response:
    """The interaction that opened it (topic, partition, offset), its window, pool and pack, the balance around it."""
    require_account(caller, account_id)
    found = queries.explain(session_id)
    if found is None or found.session.account_id != account_id:
        raise not_found("session")
    return json_response(found, caller)
