"""What happened to an account: alerts, handoffs, suspensions, everything in order; and statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from botmeter.readside.results import ALERTS, HandoffPage, Step, Suspension, TimelinePage
from botmeter.web.access.guard import Caller, guard_of, require_account
from botmeter.web.api.accounts import account_etag, found_account
from botmeter.web.api.answers import LIMIT, AccountId, Cursor, Limit, answer, not_modified, now_ms
from botmeter.web.api.tables import Format, wanted_format
from botmeter.web.api.wire import columns_of, model_of
from botmeter.web.problems import documented, invalid
from botmeter.web.seal import SealedStatement, sealed
from botmeter.web.services import Asked

router = APIRouter(tags=["history"])

T = TypeVar("T")


@router.get(
    "/accounts/{account_id:path}/alerts",
    summary="Alerts",
    response_model=model_of(TimelinePage),
    responses=documented(401, 404, 422, 429),
)
def get_alerts(
    account_id: AccountId, caller: Caller, queries: Asked, limit: Limit = LIMIT, cursor: Cursor = None
) -> Response:
    """Thresholds reached and exhaustion, newest first, with what was sent to whom."""
    require_account(caller, account_id)
    found_account(queries.summary(account_id))
    return answer(_paged(lambda: queries.timeline(account_id, types=ALERTS, limit=limit, cursor=cursor)), caller)


@router.get(
    "/accounts/{account_id:path}/timeline",
    summary="Everything but sessions and handoffs",
    response_model=model_of(TimelinePage),
    responses=documented(401, 404, 422, 429),
)
def get_timeline(
    account_id: AccountId,
    caller: Caller,
    queries: Asked,
    type: Annotated[list[str] | None, Query(max_length=30, description="Types of the journal.")] = None,  # noqa: A002 - the name in the address
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The account's events, newest first, with who issued them and what they changed."""
    require_account(caller, account_id)
    found_account(queries.summary(account_id))
    return answer(_paged(lambda: queries.timeline(account_id, types=type, limit=limit, cursor=cursor)), caller)


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
    queries: Asked,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Conversations that went to the agents, newest first."""
    etag = account_etag(queries, account_id, caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    found_account(queries.summary(account_id))
    return answer(_paged(lambda: queries.handoffs(account_id, limit=limit, cursor=cursor)), caller, etag)


@router.get(
    "/accounts/{account_id:path}/suspensions",
    summary="Times without bots",
    response_model=list[model_of(Suspension)],  # type: ignore[misc]
    responses=documented(401, 404, 422, 429),
)
def get_suspensions(
    request: Request, account_id: AccountId, caller: Caller, queries: Asked, limit: Limit = LIMIT
) -> Response:
    """When the bots stood still, why, and how many chats went to agents, newest first."""
    etag = account_etag(queries, account_id, caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    found_account(queries.summary(account_id))
    return answer(queries.suspensions(account_id, limit), caller, etag)


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
    queries: Asked,
    format: Format = None,  # noqa: A002 - the name in the address
) -> Response:
    """A cycle in sessions and money, with a digest of it, signed. As CSV or NDJSON, its steps."""
    etag = account_etag(queries, account_id, caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    if cycle == "current":
        cycle = found_account(queries.summary(account_id)).cycle_number
    statement = found_account(queries.statement(account_id, cycle, now_ms()))
    table = wanted_format(request, format)
    if table is not None:
        columns = columns_of(Step, money=caller.sees_money)
        name = f"statement-{account_id}-{cycle}"
        return table.response(statement.steps, columns, name, etag, money=caller.sees_money)
    return answer(sealed(statement, guard_of(request).tokens), caller, etag)


def _paged(ask: Callable[[], T]) -> T:
    """What is found. Raises ProblemError 422 for a cursor of another list."""
    try:
        return ask()
    except ValueError as error:
        raise invalid(f"cursor: {error}") from None
