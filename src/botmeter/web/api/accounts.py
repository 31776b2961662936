"""Accounts: the list, one account in full, its balance, its cycles and its charges."""

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
from botmeter.web.api.responses import (
    LIMIT,
    AccountId,
    Cursor,
    Cycle,
    Limit,
    etag_of,
    json_response,
    not_modified,
    now_ms,
)
from botmeter.web.api.wire import model_of
from botmeter.web.problems import documented, forbidden, invalid, not_found
from botmeter.web.services import QueriesDep

router = APIRouter(tags=["accounts"])
#: Its path matches everything below an account, so it is included last.
last_router = APIRouter(tags=["accounts"])

T = TypeVar("T")


@router.get(
    "/accounts", summary="All accounts", response_model=model_of(AccountPage), responses=documented(401, 422, 429)
)
def get_accounts(
    request: Request,
    caller: Caller,
    queries: QueriesDep,
    search: Annotated[str, Query(max_length=ID_CHARACTERS_MAX, description="A part of the account's id.")] = "",
    state: Annotated[AccountState | None, Query(description="Only accounts in this state.")] = None,
    sort: Annotated[SortBy, Query(description="`risk`: the accounts that run out first come first.")] = "risk",
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The accounts the caller may see."""
    now = now_ms()
    etag = etag_of(queries.progress(now), caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    only = None if caller.is_operator else sorted(caller.accounts)
    try:
        found = queries.accounts(search=search, state=state, only=only, sort=sort, limit=limit, cursor=cursor, now=now)
    except ValueError as error:
        raise invalid(f"cursor: {error}") from None
    return json_response(found, caller, etag)


@router.get(
    "/accounts/{account_id:path}/balance",
    summary="The balance",
    response_model=model_of(AccountSummary),
    responses=documented(401, 404, 429),
)
def get_balance(request: Request, account_id: AccountId, caller: Caller, queries: QueriesDep) -> Response:
    """Used, total and remaining, the state of the account and since when."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    return json_response(found_account(queries.summary(account_id)), caller, etag)


@router.get(
    "/accounts/{account_id:path}/cycles",
    summary="The billing cycles",
    response_model=list[model_of(CycleSpan)],  # type: ignore[misc]
    responses=documented(401, 404, 429),
)
def get_cycles(request: Request, account_id: AccountId, caller: Caller, queries: QueriesDep) -> Response:
    """The billing cycles, newest first; each has a statement."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    found_account(queries.summary(account_id))
    return json_response(queries.cycles(account_id), caller, etag)


@router.get(
    "/accounts/{account_id:path}/charges",
    summary="Money charged",
    response_model=list[model_of(ChargeRow)],  # type: ignore[misc]
    responses=documented(401, 403, 404, 422, 429),
)
def get_charges(
    request: Request, account_id: AccountId, caller: Caller, queries: QueriesDep, cycle: Cycle = None
) -> Response:
    """Packs bought and renewed, newest first. Not for viewers."""
    require_account(caller, account_id)
    if not caller.sees_money:
        raise forbidden("charges are not for viewers")
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    found_account(queries.summary(account_id))
    return json_response(queries.charges(account_id, cycle), caller, etag)


@last_router.get(
    "/accounts/{account_id:path}",
    summary="One account",
    response_model=model_of(AccountDetail),
    responses=documented(401, 404, 429),
)
def get_account(request: Request, account_id: AccountId, caller: Caller, queries: QueriesDep) -> Response:
    """The balance, thresholds, auto-recharge, contacts, cycle and price of an account."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    return json_response(found_account(queries.account(account_id, now_ms())), caller, etag)


def account_etag(queries: Queries, account_id: str, caller: Access) -> str:
    """Returns the ETag of numbers based on the account's partition of the journal. Called before the numbers are read.

    Raises ProblemError 404 for an account that does not exist or that the caller may not see.
    """
    require_account(caller, account_id)
    freshness: Freshness | None = queries.freshness(now_ms(), account_id)
    return etag_of([found_account(freshness)], caller)


def found_account(value: T | None) -> T:
    """Returns the value. Raises ProblemError 404 when it is None: there is no such account."""
    if value is None:
        raise not_found("account")
    return value
