"""The application: its routes, its door, its headers. What it is made of is handed in; it connects to nothing."""

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
from botmeter.web.headers import SecurityHeaders, added_to_answers_that_are_not_kept
from botmeter.web.metrics import Timed, WebMetrics
from botmeter.web.problems import API_PREFIX, ErrorPage, Problem, handle_problems

#: Far more than a form or a command has.
BODY_BYTES_MAX: Final = 1_048_576

#: In the order in which they are tried: the last one takes what is left below an account.
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
Sessions, allowances and charges of bot accounts, as botmeter's journal tells them.

Send a bearer token. Errors are `application/problem+json`. Moments are RFC 3339 UTC with milliseconds, money is in
minor units. Answers about an account carry an `ETag` made from the offset of the journal they rest on.
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of.

    `public_url` is where browsers find it, without a slash at the end. `lifespan` runs what works beside the requests.
    """

    settings: Settings
    public_url: str
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None
    page: tuple[APIRouter, ...] = ()
    error_page: ErrorPage | None = None
    metrics: WebMetrics | None = None


def make_app(parts: Parts) -> FastAPI:
    """The application as an ASGI server runs it."""
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
    """FastAPI whose every answer carries the security headers, and whose document tells how to be let in."""

    def build_middleware_stack(self) -> ASGIApp:
        """Headers outside, so that answers about errors of the server carry them too; the fast lane has its own."""
        over_tls = self.state.guard.is_over_tls
        guarded = SecurityHeaders(super().build_middleware_stack(), over_tls)
        whole = FastLane(guarded, self.state, added_to_answers_that_are_not_kept(over_tls))
        metrics: WebMetrics | None = self.state.parts.metrics
        return whole if metrics is None else Timed(whole, metrics)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the problem's schema and the bearer token that every route asks for."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document.setdefault("components", {})
            components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
            document["security"] = [{"bearer": []}]
            self.openapi_schema = document
        return self.openapi_schema
