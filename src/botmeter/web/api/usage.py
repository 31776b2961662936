"""Usage over time: sessions by hour or day, and the burn-down of a cycle."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from botmeter.contracts.instants import millis
from botmeter.domain.prices import DAY_MS
from botmeter.readside.results import Bucket, BurnDown, UsageBy, UsageSeries
from botmeter.web.access.guard import Caller
from botmeter.web.api.accounts import account_etag, found_account
from botmeter.web.api.responses import AccountId, Cycle, json_response, not_modified, now_ms
from botmeter.web.api.tables import Format, wanted_format
from botmeter.web.api.wire import model_of
from botmeter.web.problems import documented, invalid
from botmeter.web.services import QueriesDep

router = APIRouter(tags=["usage"])

#: Usage is kept for a year; 367 days also fit a leap year.
_SPAN_DAYS_MAX: Final = {"hour": 32, "day": 367}
_DEFAULT_DAYS: Final = {"hour": 2, "day": 31}


@router.get(
    "/accounts/{account_id:path}/usage",
    summary="Sessions by hour or day",
    response_model=model_of(UsageSeries),
    responses=documented(401, 404, 422, 429),
)
def get_usage(
    request: Request,
    account_id: AccountId,
    caller: Caller,
    queries: QueriesDep,
    since: Annotated[
        AwareDatetime | None, Query(description="Default: 31 days, or 2 for hours, before `until`.")
    ] = None,
    until: Annotated[AwareDatetime | None, Query(description="Default: now.")] = None,
    bucket: Annotated[Bucket, Query(description="Hours or days of the account's own time zone.")] = "day",
    by: Annotated[UsageBy | None, Query(description="Split each bucket by this.")] = None,
    format: Format = None,  # noqa: A002 - the name in the address
) -> Response:
    """Every hour or day of the span, including empty ones. A day on which the clocks change has 23 or 25 hours."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    end = now_ms() if until is None else millis(until)
    start = end - _DEFAULT_DAYS[bucket] * DAY_MS if since is None else millis(since)
    if not 0 <= end - start <= _SPAN_DAYS_MAX[bucket] * DAY_MS:
        raise invalid(f"until: should lie after `since`, by at most {_SPAN_DAYS_MAX[bucket]} days")
    series = found_account(queries.usage(account_id, start, end, bucket=bucket, by=by))
    table = wanted_format(request, format)
    if table is not None:
        columns = ("starts_at", "ends_at", "sessions", "cumulative", *series.keys)
        return table.response(_rows(series), columns, f"usage-{account_id}", etag)
    return json_response(series, caller, etag)


def _rows(series: UsageSeries) -> list[dict[str, object]]:
    return [
        {
            "starts_at": each.starts_at,
            "ends_at": each.ends_at,
            "sessions": each.sessions,
            "cumulative": each.cumulative,
            **dict(zip(series.keys, each.parts, strict=True)),
        }
        for each in series.buckets
    ]


@router.get(
    "/accounts/{account_id:path}/burn-down",
    summary="What remained over a cycle",
    response_model=model_of(BurnDown),
    responses=documented(401, 404, 422, 429),
)
def get_burn_down(
    request: Request, account_id: AccountId, caller: Caller, queries: QueriesDep, cycle: Cycle = None
) -> Response:
    """Remaining sessions, purchases as steps, thresholds, and for the current cycle a forecast with a band."""
    etag = account_etag(queries, account_id, caller)
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    return json_response(found_account(queries.burn_down(account_id, now_ms(), cycle)), caller, etag)
