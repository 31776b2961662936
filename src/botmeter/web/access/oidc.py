"""Login by an OpenID provider: authorization code flow with PKCE, state and nonce.

The state of a login is kept in a signed cookie, so any instance of the server can finish it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import jwt
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from botmeter.settings.web import WebSettings
from botmeter.web.access.guard import guard_of
from botmeter.web.access.key_set import KeySet, KeySetUnavailable
from botmeter.web.access.login import local_path
from botmeter.web.access.own_tokens import OIDC_STATE_S
from botmeter.web.access.roles import Access, access_of
from botmeter.web.problems import forbidden, unavailable

_COOKIE: Final = "botmeter-login"
_CALLBACK: Final = "/login/oidc/callback"
_TIMEOUT_S: Final = 10.0
_LEEWAY_S: Final = 10

router = APIRouter(include_in_schema=False)


class Provider:
    """An OpenID provider. Its discovery document is read when it is first needed."""

    def __init__(self, settings: WebSettings, public_url: str) -> None:
        self._settings, self._callback = settings, public_url + _CALLBACK
        self._document: dict[str, Any] = {}
        self._keys: KeySet | None = None

    async def login_address(self, state: str, nonce: str, verifier: str) -> str:
        """Returns the provider's login page. Raises ProblemError 503."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._callback,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{(await self._discovery_document())['authorization_endpoint']}?{urlencode(query)}"

    async def access(self, code: str, verifier: str, nonce: str) -> Access:
        """Exchanges the authorization code for the access of its user. Raises ProblemError 403, 503."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "client_id": self._settings.oidc_client_id,
            "code_verifier": verifier,
        }
        secret = self._settings.oidc_client_secret.get_secret_value()
        auth = httpx.BasicAuth(self._settings.oidc_client_id, secret) if secret else None
        endpoint = (await self._discovery_document())["token_endpoint"]
        tokens = await _json(lambda client: client.post(endpoint, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT))
        try:
            claims = await to_thread.run_sync(self._verified_claims, str(tokens.get("id_token", "")))
        except jwt.InvalidTokenError as error:
            raise forbidden(f"the login provider's answer is not good: {error}") from None
        except KeySetUnavailable as error:
            raise unavailable(str(error)) from error
        if not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise forbidden("the login provider answered another login")
        return self._access_of(claims)

    def _access_of(self, claims: Mapping[str, Any]) -> Access:
        settings = self._settings
        subject = claims.get("email") if claims.get("email_verified") is True else claims.get("sub")
        try:
            return access_of(
                subject, claims.get(settings.auth_role_claim), claims.get(settings.auth_accounts_claim), ""
            )
        except ValueError as error:
            raise forbidden(f"your login carries no access to botmeter: {error}") from None

    def _verified_claims(self, id_token: str) -> dict[str, Any]:
        if self._keys is None:
            self._keys = KeySet(str(self._document["jwks_uri"]))
        key, algorithm = self._keys.key_of(id_token)
        return jwt.decode(
            id_token,
            key,
            algorithms=[algorithm],
            audience=self._settings.oidc_client_id,
            issuer=self._document["issuer"],
            leeway=_LEEWAY_S,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )

    async def _discovery_document(self) -> Mapping[str, Any]:
        if not self._document:
            issuer = self._settings.oidc_issuer.rstrip("/")
            document = await _json(lambda client: client.get(f"{issuer}/.well-known/openid-configuration"))
            if str(document.get("issuer", "")).rstrip("/") != issuer:
                raise unavailable(f"{issuer} is not the login provider it says it is")
            self._document = document
        return self._document


async def _json(request: Any) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            response = (await request(client)).raise_for_status()
            body: dict[str, Any] = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise unavailable(f"the login provider does not answer as it should: {error}") from error
    return body


@router.get("/login/oidc")
async def begin(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Sends the person to the provider."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    response = RedirectResponse(await _provider(request).login_address(state, nonce, verifier), HTTPStatus.SEE_OTHER)
    guard = guard_of(request)
    claims = {"state": state, "nonce": nonce, "verifier": verifier, "next": local_path(next)}
    response.set_cookie(
        _COOKIE,
        guard.tokens.sign("oidc", claims, OIDC_STATE_S),
        max_age=OIDC_STATE_S,
        path=_CALLBACK,
        secure=guard.is_over_tls,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(_CALLBACK)
async def finish(request: Request, code: str = "", state: str = "") -> Response:
    """Completes the login when the person comes back from the provider."""
    guard = guard_of(request)
    try:
        login = guard.tokens.read("oidc", request.cookies.get(_COOKIE, ""))
    except jwt.InvalidTokenError:
        return RedirectResponse("/login?problem=expired", HTTPStatus.SEE_OTHER)
    if not code or not hmac.compare_digest(str(login["state"]), state):
        raise forbidden("the login was cancelled, or was started by another user; try again")
    access = await _provider(request).access(code, str(login["verifier"]), str(login["nonce"]))
    response = RedirectResponse(local_path(str(login["next"])), HTTPStatus.SEE_OTHER)
    guard.log_in(response, access)
    response.delete_cookie(_COOKIE, path=_CALLBACK)
    return response


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider
