"""The history of an account: alerts, handoffs, suspensions, the timeline; and statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from botmeter.readside.results import ALERTS, HandoffPage, Step, Suspension, TimelinePage
from botmeter.web.access.guard import Caller, guard_of, require_account
from botmeter.web.api.accounts import account_etag, found_account
from botmeter.web.api.responses import LIMIT, AccountId, Cursor, Limit, json_response, not_modified, now_ms
from botmeter.web.api.tables import Format, wanted_format
from botmeter.web.api.wire import columns_of, model_of
from botmeter.web.problems import documented, invalid
from botmeter.web.seal import SealedStatement, sealed
from botmeter.web.services import QueriesDep

router = APIRouter(tags=["history"])

T = TypeVar("T")


@router.get(
    "/accounts/{account_id:path}/alerts",
    summary="Alerts",
    response_model=model_of(TimelinePage),
    responses=documented(401, 404, 422, 429),
)
def get_alerts(
    account_id: AccountId, caller: Caller, queries: QueriesDep, limit: Limit = LIMIT, cursor: Cursor = None
) -> Response:
    """Reached thresholds and exhaustion, newest first, with the messages sent and their recipients."""
    require_account(caller, account_id)
    found_account(queries.summary(account_id))
    return json_response(_page(lambda: queries.timeline(account_id, types=ALERTS, limit=limit, cursor=cursor)), caller)


@router.get(
    "/accounts/{account_id:path}/timeline",
    summary="Everything but sessions and handoffs",
    response_model=model_of(TimelinePage),
    responses=documented(401, 404, 422, 429),
)
def get_timeline(
    account_id: AccountId,
    caller: Caller,
    queries: QueriesDep,
    type: Annotated[list[str] | None, Query(max_length=30, description="Types of the journal.")] = None,  # noqa: A002 - the name in the address
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The account's events, newest first, with their issuer and their changes."""
    require_account(caller, account_id)
    found_account(queries.summary(account_id))
    return json_response(_page(lambda: queries.timeline(account_id, types=type, limit=limit, cursor=cursor)), caller)


@router.get(
    "/accounts/{account_id:path}/handoffs",
    summary="Chats handed to agents",
    response_model=model_of(HandoffPage),
    responses=documented(401, 404, 422, 429),
)
def get_handoffs(
    request: Request,
    account_id: AccountId,
    caller: Caller,
    queries: QueriesDep,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Conversations that went to the agents, newest first."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    found_account(queries.summary(account_id))
    return json_response(_page(lambda: queries.handoffs(account_id, limit=limit, cursor=cursor)), caller, etag)


@router.get(
    "/accounts/{account_id:path}/suspensions",
    summary="Times without bots",
    response_model=list[model_of(Suspension)],  # type: ignore[misc]
    responses=documented(401, 404, 422, 429),
)
def get_suspensions(
    request: Request, account_id: AccountId, caller: Caller, queries: QueriesDep, limit: Limit = LIMIT
) -> Response:
    """When the bots did not answer, why, and how many chats went to agents, newest first."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    found_account(queries.summary(account_id))
    return json_response(queries.suspensions(account_id, limit), caller, etag)


@router.get(
    "/accounts/{account_id:path}/statements/{cycle}",
    summary="The statement of a cycle",
    response_model=model_of(SealedStatement),
    responses=documented(401, 404, 422, 429),
)
def get_statement(
    request: Request,
    account_id: AccountId,
    cycle: Annotated[int | Literal["current"], Path(description="Number of a billing cycle, or `current`.")],
    caller: Caller,
    queries: QueriesDep,
    format: Format = None,  # noqa: A002 - the name in the address
) -> Response:
    """The sessions and charges of a cycle, with a signed digest. As CSV or NDJSON, its steps."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    if cycle == "current":
        cycle = found_account(queries.summary(account_id)).cycle_number
    statement = found_account(queries.statement(account_id, cycle, now_ms()))
    table = wanted_format(request, format)
    if table is not None:
        columns = columns_of(Step, money=caller.sees_money)
        name = f"statement-{account_id}-{cycle}"
        return table.response(statement.steps, columns, name, etag, money=caller.sees_money)
    return json_response(sealed(statement, guard_of(request).tokens), caller, etag)


def _page(query: Callable[[], T]) -> T:
    """Returns the page that the query finds. Raises ProblemError 422 for a cursor of another list."""
    try:
        return query()
    except ValueError as error:
        raise invalid(f"cursor: {error}") from None
