"""Accounts: the list, one in full, its balance, its cycles and what it was charged."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from botmeter.contracts.fields import ID_CHARACTERS_MAX
from botmeter.readside.queries import Queries
from botmeter.readside.results import (
    AccountDetail,
    AccountPage,
    AccountState,
    AccountSummary,
    ChargeRow,
    CycleSpan,
    Freshness,
    SortBy,
)
from botmeter.web.access.guard import Caller, require_account
from botmeter.web.access.roles import Access
from botmeter.web.api.answers import LIMIT, AccountId, Cursor, Cycle, Limit, answer, etag_of, not_modified, now_ms
from botmeter.web.api.wire import model_of
from botmeter.web.problems import documented, forbidden, invalid, not_found
from botmeter.web.services import Asked

router = APIRouter(tags=["accounts"])
#: Matches what the routes below the account do not, so it is included last.
last_router = APIRouter(tags=["accounts"])

T = TypeVar("T")


@router.get(
    "/accounts", summary="All accounts", response_model=model_of(AccountPage), responses=documented(401, 422, 429)
)
def get_accounts(
    request: Request,
    caller: Caller,
    queries: Asked,
    search: Annotated[str, Query(max_length=ID_CHARACTERS_MAX, description="A part of the account's id.")] = "",
    state: Annotated[AccountState | None, Query(description="Only accounts in this state.")] = None,
    sort: Annotated[SortBy, Query(description="`risk`: those that run out first come first.")] = "risk",
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The accounts the caller may see."""
    now = now_ms()
    etag = etag_of(queries.progress(now), caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    only = None if caller.is_operator else sorted(caller.accounts)
    try:
        found = queries.accounts(search=search, state=state, only=only, sort=sort, limit=limit, cursor=cursor, now=now)
    except ValueError as error:
        raise invalid(f"cursor: {error}") from None
    return answer(found, caller, etag)


@router.get(
    "/accounts/{account_id:path}/balance",
    summary="The balance",
    response_model=model_of(AccountSummary),
    responses=documented(401, 404, 429),
)
def get_balance(request: Request, account_id: AccountId, caller: Caller, queries: Asked) -> Response:
    """Used, total and remaining, the state of the account and since when."""
    etag = account_etag(queries, account_id, caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    return answer(found_account(queries.summary(account_id)), caller, etag)


@router.get(
    "/accounts/{account_id:path}/cycles",
    summary="The billing cycles",
    response_model=list[model_of(CycleSpan)],  # type: ignore[misc]
    responses=documented(401, 404, 429),
)
def get_cycles(request: Request, account_id: AccountId, caller: Caller, queries: Asked) -> Response:
    """The billing cycles, newest first; each has a statement."""
    etag = account_etag(queries, account_id, caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    found_account(queries.summary(account_id))
    return answer(queries.cycles(account_id), caller, etag)


@router.get(
    "/accounts/{account_id:path}/charges",
    summary="Money charged",
    response_model=list[model_of(ChargeRow)],  # type: ignore[misc]
    responses=documented(401, 403, 404, 422, 429),
)
def get_charges(
    request: Request, account_id: AccountId, caller: Caller, queries: Asked, cycle: Cycle = None
) -> Response:
    """Packs bought and renewed, newest first. Not for viewers."""
    require_account(caller, account_id)
    if not caller.sees_money:
        raise forbidden("charges are not for viewers")
    etag = account_etag(queries, account_id, caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    found_account(queries.summary(account_id))
    return answer(queries.charges(account_id, cycle), caller, etag)


@last_router.get(
    "/accounts/{account_id:path}",
    summary="One account",
    response_model=model_of(AccountDetail),
    responses=documented(401, 404, 429),
)
def get_account(request: Request, account_id: AccountId, caller: Caller, queries: Asked) -> Response:
    """The balance, thresholds, auto-recharge, contacts, cycle and price of an account."""
    etag = account_etag(queries, account_id, caller)
    if (known := not_modified(request, etag)) is not None:
        return known
    return answer(found_account(queries.account(account_id, now_ms())), caller, etag)


def account_etag(queries: Queries, account_id: str, caller: Access) -> str:
    """The ETag of what rests on the account's partition of the journal; asked before the numbers are.

    Raises ProblemError 404 for an account that is not the caller's, or that nobody knows.
    """
    require_account(caller, account_id)
    freshness: Freshness | None = queries.freshness(now_ms(), account_id)
    return etag_of([found_account(freshness)], caller)


def found_account(value: T | None) -> T:
    """What was found. Raises ProblemError 404 when there is no such account."""
    if value is None:
        raise not_found("account")
    return value
