"""Authenticates requests. Every route but login and assets depends on it.

Programs send a bearer token, browsers a cookie. A request that changes something and is authenticated by a cookie must
come from our own page: the browser's headers (Origin, Sec-Fetch-Site) and a CSRF token have to prove it.
"""

from __future__ import annotations

import hmac
from typing import Annotated, Final
from urllib.parse import urlsplit

import jwt
from anyio import to_thread
from fastapi import Depends, Request
from starlette.responses import Response

from botmeter.settings.model import Settings
from botmeter.web.access.bearer import BearerTokens
from botmeter.web.access.key_set import KeySetUnavailable
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.access.roles import Access
from botmeter.web.limits import RateLimit
from botmeter.web.problems import forbidden, not_found, unauthorized, unavailable

CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf_token"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class Guard:
    """Authenticates callers and limits their request rate."""

    def __init__(self, settings: Settings, public_url: str) -> None:
        self._bearers = BearerTokens(settings)
        self.tokens = OwnTokens(settings.auth_secret.get_secret_value())
        self.login_s = settings.auth_login_s
        address = urlsplit(public_url)
        self._origin = f"{address.scheme}://{address.netloc}".lower()
        #: Without a configured address, the page is served under any host name that the browser used.
        self._is_any_host = not settings.http_public_url
        self.is_over_tls = address.scheme == "https"
        #: With the prefix `__Host-`, browsers accept the cookie only from this host and only over TLS.
        self.cookie_name = "__Host-botmeter" if self.is_over_tls else "botmeter"
        self.usual = RateLimit(settings.http_rate_per_s)
        self.fast = RateLimit(settings.http_fast_rate_per_s)

    async def access(self, request: Request) -> Access:
        """Returns the caller's access. Raises ProblemError: 401, 403, 503."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer":
                raise unauthorized("send a bearer token: Authorization: Bearer ...")
            return self._bearers.cached(token) or await self._verify(token)
        access = self.cookie_access(request)
        if access is None:
            raise unauthorized("send a bearer token, or log in")
        if request.method not in _SAFE_METHODS:
            await self._require_own_page(request, access)
        return access

    def cached_access(self, token: bytes) -> Access | None:
        """Returns the access of a recently verified bearer token."""
        return self._bearers.cached(token.decode("latin-1"))

    def cookie_access(self, request: Request) -> Access | None:
        """Returns the access of the user logged in on the page; None without a login, or when it has expired."""
        cookie = request.cookies.get(self.cookie_name)
        if cookie is None:
            return None
        try:
            return self.tokens.access("cookie", cookie)
        except jwt.InvalidTokenError:
            return None

    def log_in(self, response: Response, access: Access) -> None:
        """Sets the cookie in the response."""
        cookie = self.tokens.cookie(access, self.login_s)
        response.set_cookie(
            self.cookie_name, cookie, max_age=self.login_s, secure=self.is_over_tls, httponly=True, samesite="lax"
        )

    def log_out(self, response: Response) -> None:
        """Deletes the cookie in the response."""
        response.delete_cookie(self.cookie_name, secure=self.is_over_tls, httponly=True, samesite="lax")

    async def _verify(self, token: str) -> Access:
        try:
            if self._bearers.is_local:
                return self._bearers.verify(token)
            return await to_thread.run_sync(self._bearers.verify, token)
        except jwt.ExpiredSignatureError:
            raise unauthorized("the token has expired") from None
        except jwt.InvalidTokenError as error:
            raise unauthorized(f"the token is not good: {error}") from None
        except KeySetUnavailable as error:
            raise unavailable(str(error)) from error

    def _is_own_origin(self, origin: str, host: str) -> bool:
        return origin == self._origin or (self._is_any_host and origin == f"http://{host}")

    async def _require_own_page(self, request: Request, access: Access) -> None:
        """Raises ProblemError 403 unless the request comes from our own page."""
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_own_origin(origin.lower(), request.headers.get("Host", "").lower()):
            raise forbidden(f"this page belongs to another address: {self._origin}")
        if origin is None and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise forbidden("the request does not come from this page")
        sent = request.headers.get(CSRF_HEADER) or await _form_field(request)
        if not hmac.compare_digest(sent.encode(), access.csrf_token.encode()):
            raise forbidden("the form has expired; load the page again")


async def _form_field(request: Request) -> str:
    if not request.headers.get("Content-Type", "").startswith(_FORMS):
        return ""
    field = (await request.form()).get(CSRF_FIELD)
    return field if isinstance(field, str) else ""


def guard_of(request: Request) -> Guard:
    """Returns the application's guard."""
    guard: Guard = request.app.state.guard
    return guard


async def usual_access(request: Request) -> Access:
    """Returns the caller's access and counts the request against the usual rate."""
    guard = guard_of(request)
    access = await guard.access(request)
    guard.usual.take(access.key)
    return access


async def fast_access(request: Request) -> Access:
    """Returns the caller's access and counts the request against the rate for routing services."""
    guard = guard_of(request)
    access = await guard.access(request)
    guard.fast.take(access.key)
    return access


#: Annotations for the parameters of routes.
Caller = Annotated[Access, Depends(usual_access)]
FastCaller = Annotated[Access, Depends(fast_access)]


def require_account(access: Access, account_id: str) -> None:
    """Raises ProblemError 404 for an account the caller may not see: it must not learn that the account exists."""
    if not access.may_see(account_id):
        raise not_found("account")
