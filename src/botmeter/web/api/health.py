"""The health check of the server, for load balancers and monitoring. It needs no login and contains no secrets."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from botmeter.web.api.responses import now_ms
from botmeter.web.services import EntitlementDep, QueriesDep

router = APIRouter(include_in_schema=False)


@router.get("/health")
def get_health(queries: QueriesDep, entitlement: EntitlementDep) -> Response:
    """200 once entitlement is ready. The read side's lag is reported, but a lagging server still takes requests."""
    worst = queries.freshness(now_ms())
    report = {
        "status": "ok" if entitlement.is_ready else "starting",
        "read_side_lag_ms": None if worst is None else worst.lag_ms,
        "read_side_lag_records": None if worst is None else worst.lag_records,
    }
    return JSONResponse(report, HTTPStatus.OK if entitlement.is_ready else HTTPStatus.SERVICE_UNAVAILABLE)
