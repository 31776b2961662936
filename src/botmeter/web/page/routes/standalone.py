"""Pages without an account around them: the start, the login page, errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from botmeter.settings.model import Settings
from botmeter.web.access.guard import Caller, guard_of
from botmeter.web.access.login import local_path
from botmeter.web.access.roles import Access
from botmeter.web.page import rendering
from botmeter.web.problems import Problem

router = APIRouter(include_in_schema=False)

_ERRORS: Final = {
    HTTPStatus.NOT_FOUND: (
        "This page does not exist",
        "There is no such page or account, or you may not see it. Ask the person who sent you the link.",
    ),
    HTTPStatus.FORBIDDEN: ("This is not allowed", ""),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "A little slower, please",
        "More requests came from your login than one person makes. Wait a few seconds and load the page again.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Not available at the moment",
        "The billing data cannot be read right now. Bots and charges are not affected. Try again in a minute.",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Something is broken here",
        "The fault is ours and has been logged. Bots and charges are not affected: this page only shows them.",
    ),
}


@router.get("/")
def root() -> Response:
    """Redirects to the page's own path."""
    return RedirectResponse("/billing", HTTPStatus.SEE_OTHER)


@router.get("/billing")
def billing(caller: Caller) -> Response:
    """Redirects callers who see one account to its page, others to the list."""
    if caller.is_operator or len(caller.accounts) > 1:
        return RedirectResponse("/billing/accounts", HTTPStatus.SEE_OTHER)
    return RedirectResponse(rendering.account_url(next(iter(caller.accounts))), HTTPStatus.SEE_OTHER)


@router.get("/login")
def login(request: Request, next: str = "", problem: str = "") -> Response:  # noqa: A002 - the name in the address
    """Says how to log in, and to users who come from another page that their login may have expired."""
    settings: Settings = request.app.state.parts.settings
    next_path = local_path(next or "/")
    if guard_of(request).cookie_access(request) is not None and not problem:
        return RedirectResponse(next_path, HTTPStatus.SEE_OTHER)
    links = []
    if settings.oidc_issuer:
        links.append({"name": "Log in", "href": f"/login/oidc?{urlencode({'next': next_path})}"})
    if problem == "link":
        title, text = (
            "This link is used or has expired",
            "A login link is good once, for a few minutes. Ask for a new one.",
        )
    elif next_path not in {"/", "/billing"}:
        title, text = (
            "Please log in",
            "You are not logged in, or your login has expired. Afterwards you are back where you were.",
        )
    else:
        title, text = "Please log in", "See what your bots have used, how long it lasts, and buy more."
    if not links:
        text += " The operator of this server can make a login link for you with botmeter web login-link."
    return _standalone_page(request, None, title, text, links)


def error_page(request: Request, problem: Problem) -> Response:
    """Renders a problem as a page."""
    title, text = _ERRORS.get(HTTPStatus(problem.status), (problem.title, problem.detail))
    access = guard_of(request).cookie_access(request)
    links = [{"name": "To the billing page", "href": "/billing"}] if access else []
    return _standalone_page(request, access, title, text or problem.detail, links)


def _standalone_page(
    request: Request, access: Access | None, title: str, text: str, links: list[dict[str, Any]]
) -> HTMLResponse:
    theme = request.cookies.get(rendering.THEME_COOKIE)
    context = rendering.visitor_context(access, theme) | {"alone": {"title": title, "text": text, "links": links}}
    return HTMLResponse(rendering.render("alone.html", context))
