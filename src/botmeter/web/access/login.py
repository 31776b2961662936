"""Login to the page by a link, and logout. `GET /login` itself is a page; see `web/page/`."""

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
    """Returns the address that logs in the person who opens it, as long as the token is valid."""
    query = {"token": token} if next_path == "/" else {"token": token, "next": next_path}
    return f"{public_url}/login/link?{urlencode(query)}"


def local_path(path: str) -> str:
    """Returns the path if it is one of this server, else `/`: a login must not redirect to another site."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local else "/"


@router.get("/login/link")
def log_in_by_link(request: Request, token: str = "", next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Exchanges the link's token for the cookie, once. A used link still redirects a user who is logged in already."""
    guard = guard_of(request)
    try:
        access = guard.tokens.access("login", token)
        single_use = guard.tokens.single_use_link(token)
    except jwt.InvalidTokenError:
        return _refused(next)
    if single_use is not None and not services_of(request).used_links.take(*single_use, time.time_ns() // 1_000_000):
        is_logged_in = guard.cookie_access(request) is not None
        return RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER) if is_logged_in else _refused(next)
    response = RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    guard.log_in(response, access)
    return response


def _refused(next_path: str) -> Response:
    query = urlencode({"problem": "link", "next": local_path(next_path)})
    return RedirectResponse(f"/login?{query}", HTTPStatus.SEE_OTHER)


@router.post("/logout")
def log_out(request: Request, caller: Caller) -> Response:
    """Deletes the cookie."""
    del caller  # the dependency has checked the CSRF token
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    guard_of(request).log_out(response)
    return response
