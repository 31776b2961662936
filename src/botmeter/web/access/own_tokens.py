"""Tokens that botmeter signs itself: the page's cookie, login links, bearer tokens, and the state of an OpenID login.

Each purpose has its own key, derived from BOTMETER_AUTH_SECRET, and its own audience, so that no token is accepted for
another purpose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final, Literal

import jwt

from botmeter.web.access.roles import Access, Role, access_of, claims_of

Purpose = Literal["cookie", "login", "oidc"]
#: How often a login link can be used; `often` is for a demo.
LinkUses = Literal["once", "often"]

_ALGORITHM: Final = "HS256"
_USES: Final = "uses"
#: Too long to be guessed, and short enough to be typed from paper.
_SIGNATURE_BYTES: Final = 16
#: How long a login link may be used.
LOGIN_LINK_S: Final = 600
#: How long a person may take at the OpenID provider.
OIDC_STATE_S: Final = 600


class OwnTokens:
    """Signs and reads tokens with `secret`."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, purpose: Purpose, claims: Mapping[str, Any], valid_s: int) -> str:
        """Returns a token with these claims that expires after `valid_s`."""
        now = int(time.time())
        payload = {**claims, "aud": _audience(purpose), "iat": now, "exp": now + valid_s, "jti": secrets.token_hex(16)}
        return jwt.encode(payload, self._key(purpose), algorithm=_ALGORITHM)

    def read(self, purpose: Purpose, token: str) -> dict[str, Any]:
        """Returns the claims of a token. Raises jwt.InvalidTokenError if forged, expired or for another purpose."""
        return jwt.decode(
            token,
            self._key(purpose),
            algorithms=[_ALGORITHM],
            audience=_audience(purpose),
            options={"require": ["exp", "aud", "jti"]},
        )

    def login_link_token(
        self,
        subject: str,
        role: Role,
        accounts: frozenset[str],
        valid_s: int = LOGIN_LINK_S,
        uses: LinkUses = "once",
    ) -> str:
        """Returns the token of a login link."""
        return self.sign("login", {**claims_of(subject, role, accounts), _USES: uses}, valid_s)

    def single_use_link(self, token: str) -> tuple[str, int] | None:
        """Returns id and expiry (UTC ms) of a single-use login link, else None. Raises jwt.InvalidTokenError."""
        claims = self.read("login", token)
        return None if claims.get(_USES) == "often" else (claims["jti"], claims["exp"] * 1000)

    def cookie(self, access: Access, valid_s: int) -> str:
        """Returns the value of the page's cookie."""
        return self.sign("cookie", claims_of(access.subject, access.role, access.accounts), valid_s)

    def access(self, purpose: Purpose, token: str) -> Access:
        """Returns the access that a cookie or a login link gives. Raises jwt.InvalidTokenError."""
        claims = self.read(purpose, token)
        try:
            return access_of(
                claims.get("sub"), claims.get("role"), claims.get("accounts"), claims["jti"], self.csrf(claims["jti"])
            )
        except ValueError as error:
            raise jwt.InvalidTokenError(str(error)) from None

    def csrf(self, cookie_id: str) -> str:
        """Returns the CSRF token that the page's forms must send with the cookie of this id."""
        return hmac.new(self._key("csrf"), cookie_id.encode(), hashlib.sha256).hexdigest()

    def bearer(
        self, subject: str, role: Role, accounts: frozenset[str], valid_s: int, audience: str, issuer: str
    ) -> str:
        """Returns a bearer token of the API, for installations without an issuer."""
        now = int(time.time())
        payload = {**claims_of(subject, role, accounts), "aud": audience, "iat": now, "exp": now + valid_s}
        return jwt.encode(payload | ({"iss": issuer} if issuer else {}), self._secret, algorithm=_ALGORITHM)

    def signature(self, *texts: str) -> str:
        """Returns this installation's short signature of the texts. It is valid until the secret is changed."""
        signed = hmac.new(self._key("statement"), json.dumps(texts).encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(signed[:_SIGNATURE_BYTES]).decode().rstrip("=")

    def is_signature(self, signature: str, *texts: str) -> bool:
        """Whether `signature` is this installation's signature of the texts."""
        return hmac.compare_digest(signature.encode(), self.signature(*texts).encode())

    def _key(self, purpose: str) -> bytes:
        return hmac.new(self._secret, f"botmeter {purpose}".encode(), hashlib.sha256).digest()


def _audience(purpose: Purpose) -> str:
    return f"botmeter:{purpose}"
