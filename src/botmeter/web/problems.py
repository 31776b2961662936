"""Errors as RFC 9457 problem details (`application/problem+json`), the same shape for every route of the API.

The page shows the same problems as HTML: the function that renders them is passed in when the application is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from botmeter.contracts.decoding import MESSAGE_CHARACTERS_MAX
from botmeter.errors import Retriable

API_PREFIX: Final = "/v1"
MEDIA_TYPE: Final = "application/problem+json"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="botmeter"'}


class Problem(BaseModel):
    """What went wrong, for programs (`type`) and for people (`detail`)."""

    type: str = Field(description="Stable code, such as `not_found`; programs tell problems apart by it.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What to do about it, for a person.")


class ProblemError(Exception):
    """Ends a request with a problem. Any code that handles a request may raise it; it is no fault of the server."""

    def __init__(self, status: int, type_: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.headers = status, dict(headers or {})
        self.problem = Problem(type=type_, title=HTTPStatus(status).phrase, status=status, detail=detail)


def unauthorized(detail: str) -> ProblemError:
    """401: the caller is not authenticated."""
    return ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, _CHALLENGE)


def forbidden(detail: str) -> ProblemError:
    """403: the caller is authenticated but not allowed to do this."""
    return ProblemError(HTTPStatus.FORBIDDEN, "forbidden", detail)


def not_found(what: str) -> ProblemError:
    """404: it does not exist, or the caller may not learn that it exists."""
    return ProblemError(HTTPStatus.NOT_FOUND, "not_found", f"there is no such {what}, or it is not yours to see")


def invalid(detail: str) -> ProblemError:
    """422: the request is well-formed, but its content is not valid."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail[:MESSAGE_CHARACTERS_MAX])


def unavailable(detail: str) -> ProblemError:
    """503: not available now; the same request may succeed when it is sent again."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, {"Retry-After": "1"})


class ErrorPage(Protocol):
    """Renders a problem as HTML."""

    def __call__(self, request: Request, problem: Problem) -> Response:
        """Returns the problem as a page for a person."""


def problem_response(error: ProblemError) -> Response:
    """Returns the problem as JSON."""
    return JSONResponse(error.problem.model_dump(), error.status, error.headers, media_type=MEDIA_TYPE)


def handle_problems(app: FastAPI, error_page: ErrorPage | None = None) -> None:
    """Makes every error a problem response; outside the API `error_page` renders it, if there is one."""

    def respond(request: Request, error: ProblemError) -> Response:
        is_page = not request.url.path.startswith(API_PREFIX)
        if is_page and error.status == HTTPStatus.UNAUTHORIZED and error_page is not None:
            return _to_login(request)
        if is_page and error_page is not None:
            page = error_page(request, error.problem)
            page.status_code = error.status
            return page
        return problem_response(error)

    async def on_problem(request: Request, error: Exception) -> Response:
        return respond(request, _problem_of(error))

    for kind in (ProblemError, RequestValidationError, HTTPException, Retriable, Exception):
        app.add_exception_handler(kind, on_problem)


def _problem_of(error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return invalid(_summary(error))
        case HTTPException():
            type_ = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
            return ProblemError(error.status_code, type_, str(error.detail), error.headers)
        case Retriable():
            return unavailable(str(error))
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")


def _summary(error: RequestValidationError) -> str:
    """Says what is wrong, field by field, without the values: they may hold anything."""
    details: list[dict[str, Any]] = list(error.errors())
    return "; ".join(f"{'.'.join(map(str, detail['loc'][1:]))}: {detail['msg']}" for detail in details)


def _to_login(request: Request) -> Response:
    """Redirects to the login page, which leads back to the requested page."""
    requested = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = urlencode({"next": requested}) if request.method in {"GET", "HEAD"} else ""
    target = f"/login?{query}"
    if request.headers.get("HX-Request"):  # htmx would swap the login page into a part of this page
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": target})
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the problems a route may respond with, as OpenAPI describes them."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA}}}
        for status in statuses
    }


_PROBLEM_SCHEMA: Final = {"$ref": "#/components/schemas/Problem"}
