"""Whether the server can answer, for load balancers and whoever watches it; open to everybody, and tells no secrets."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from botmeter.web.api.answers import now_ms
from botmeter.web.services import Asked, Entitled

router = APIRouter(include_in_schema=False)


@router.get("/health")
def get_health(queries: Asked, entitlement: Entitled) -> Response:
    """200 once entitlement is known; how far the read side lags is told, and no reason to send nobody here."""
    worst = queries.freshness(now_ms())
    told = {
        "status": "ok" if entitlement.is_ready else "starting",
        "read_side_lag_ms": None if worst is None else worst.lag_ms,
        "read_side_lag_records": None if worst is None else worst.lag_records,
    }
    return JSONResponse(told, HTTPStatus.OK if entitlement.is_ready else HTTPStatus.SERVICE_UNAVAILABLE)
