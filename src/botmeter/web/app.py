"""The web application: its routes, access control and headers. Its parts are passed in; it opens no connections."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from botmeter.settings.model import Settings
from botmeter.web.access import login, oidc
from botmeter.web.access.guard import Guard
from botmeter.web.api import accounts, commands, entitlement, health, history, interactions, me, sessions, usage
from botmeter.web.api.fast_lane import FastLane
from botmeter.web.headers import SecurityHeaders, private_response_headers
from botmeter.web.metrics import RequestTimer, WebMetrics
from botmeter.web.problems import API_PREFIX, ErrorPage, Problem, handle_problems

#: Far more than a form or a command has.
BODY_BYTES_MAX: Final = 1_048_576

#: In matching order: the last router takes every path below an account that no other router matches.
_API: Final = (
    me.router,
    entitlement.router,
    interactions.router,
    commands.router,
    sessions.router,
    usage.router,
    history.router,
    accounts.router,
    accounts.last_router,
)
_DESCRIPTION: Final = """\
Sessions, allowances and charges of bot accounts, as recorded in botmeter's journal.

Send a bearer token. Errors are `application/problem+json`. Times are RFC 3339 UTC with milliseconds, money is in
minor units. Responses about an account carry an `ETag` made from the journal offset they are based on.
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the application.

    `public_url` is the address that browsers use, without a trailing slash. `lifespan` starts and stops the services.
    """

    settings: Settings
    public_url: str
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None
    page: tuple[APIRouter, ...] = ()
    error_page: ErrorPage | None = None
    metrics: WebMetrics | None = None


def make_app(parts: Parts) -> FastAPI:
    """Returns the application for an ASGI server."""
    app = _Application(
        title="botmeter",
        version=version("botmeter"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API_PREFIX}/openapi.json",
        lifespan=parts.lifespan,
        max_body_size=BODY_BYTES_MAX,
    )
    app.state.parts = parts
    if parts.metrics is not None:
        parts.metrics.watch(app)
    app.state.guard = Guard(parts.settings, parts.public_url)
    handle_problems(app, parts.error_page)
    for router in _API:
        app.include_router(router, prefix=API_PREFIX)
    app.include_router(health.router)
    app.include_router(login.router)
    if parts.settings.oidc_issuer:
        app.state.provider = oidc.Provider(parts.settings, parts.public_url)
        app.include_router(oidc.router)
    for router in parts.page:
        app.include_router(router)
    return app


class _Application(FastAPI):
    """FastAPI with security headers on every response and the bearer scheme in its OpenAPI document."""

    def build_middleware_stack(self) -> ASGIApp:
        """Adds the headers outside of FastAPI's own stack, so that 500 responses carry them too."""
        over_tls = self.state.guard.is_over_tls
        with_headers = SecurityHeaders(super().build_middleware_stack(), over_tls)
        app = FastLane(with_headers, self.state, private_response_headers(over_tls))
        metrics: WebMetrics | None = self.state.parts.metrics
        return app if metrics is None else RequestTimer(app, metrics)

    def openapi(self) -> dict[str, Any]:
        """Returns the OpenAPI document, with the schema of a problem and the bearer token that every route requires."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document.setdefault("components", {})
            components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
            document["security"] = [{"bearer": []}]
            self.openapi_schema = document
        return self.openapi_schema
