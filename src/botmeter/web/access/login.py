"""Logging in to the page by a link, and out of it. `GET /login` itself is a page; see `web/page/`."""

from __future__ import annotations

import time
from http import HTTPStatus
from urllib.parse import urlencode

import jwt
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from botmeter.web.access.guard import Caller, guard_of
from botmeter.web.services import services_of

router = APIRouter(include_in_schema=False)


def login_link(public_url: str, token: str, next_path: str = "/") -> str:
    """The address that logs whoever opens it in, for as long as the token is good."""
    query = {"token": token} if next_path == "/" else {"token": token, "next": next_path}
    return f"{public_url}/login/link?{urlencode(query)}"


def own_path(path: str) -> str:
    """Where a login leads to: a path of this server, whatever the link says."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_own else "/"


@router.get("/login/link")
def log_in_by_link(request: Request, token: str = "", next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Exchanges the link's token for the cookie, once. Who is logged in goes on, whatever the link is good for."""
    guard = guard_of(request)
    try:
        access = guard.tokens.access("login", token)
        spent = guard.tokens.used_up_by(token)
    except jwt.InvalidTokenError:
        return _refused(next)
    if spent is not None and not services_of(request).used_links.take(*spent, time.time_ns() // 1_000_000):
        is_in = guard.cookie_access(request) is not None
        return RedirectResponse(own_path(next), HTTPStatus.SEE_OTHER) if is_in else _refused(next)
    response = RedirectResponse(own_path(next), HTTPStatus.SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    guard.log_in(response, access)
    return response


def _refused(wanted: str) -> Response:
    query = urlencode({"problem": "link", "next": own_path(wanted)})
    return RedirectResponse(f"/login?{query}", HTTPStatus.SEE_OTHER)


@router.post("/logout")
def log_out(request: Request, caller: Caller) -> Response:
    """Deletes the cookie."""
    del caller  # whose form it is was proved
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    guard_of(request).log_out(response)
    return response
