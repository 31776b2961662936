"""Tokens botmeter signs for itself: the page's cookie, login links, bearer tokens, and a login that is under way.

Each purpose has a key of its own, derived from BOTMETER_AUTH_SECRET, and an audience of its own, so that none passes
for another.
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
#: How often a login link lets somebody in; `often` is for a demo.
LinkUses = Literal["once", "often"]

_ALGORITHM: Final = "HS256"
_USES: Final = "uses"
#: Enough that nobody guesses one, and short enough to be typed from paper.
_SIGNATURE_BYTES: Final = 16
#: How long a login link may be used.
LOGIN_LINK_S: Final = 600
#: How long a person may take at the OpenID provider.
OIDC_STATE_S: Final = 600


class OwnTokens:
    """Signs and reads tokens with `secret`."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, purpose: Purpose, claims: Mapping[str, Any], lasting_s: int) -> str:
        """A token of these claims that expires after so many seconds."""
        now = int(time.time())
        told = {**claims, "aud": _audience(purpose), "iat": now, "exp": now + lasting_s, "jti": secrets.token_hex(16)}
        return jwt.encode(told, self._key(purpose), algorithm=_ALGORITHM)

    def read(self, purpose: Purpose, token: str) -> dict[str, Any]:
        """The claims of a token. Raises jwt.InvalidTokenError when it is forged, expired or for something else."""
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
        lasting_s: int = LOGIN_LINK_S,
        uses: LinkUses = "once",
    ) -> str:
        """What a login link carries."""
        return self.sign("login", {**claims_of(subject, role, accounts), _USES: uses}, lasting_s)

    def used_up_by(self, token: str) -> tuple[str, int] | None:
        """Id and end (UTC ms) of a login link that one use spends, or None. Raises jwt.InvalidTokenError."""
        claims = self.read("login", token)
        return None if claims.get(_USES) == "often" else (claims["jti"], claims["exp"] * 1000)

    def cookie(self, access: Access, lasting_s: int) -> str:
        """The page's cookie."""
        return self.sign("cookie", claims_of(access.subject, access.role, access.accounts), lasting_s)

    def access(self, purpose: Purpose, token: str) -> Access:
        """Who holds a cookie or a login link. Raises jwt.InvalidTokenError."""
        claims = self.read(purpose, token)
        try:
            return access_of(
                claims.get("sub"), claims.get("role"), claims.get("accounts"), claims["jti"], self.csrf(claims["jti"])
            )
        except ValueError as error:
            raise jwt.InvalidTokenError(str(error)) from None

    def csrf(self, cookie_id: str) -> str:
        """What a form of the page must send along with the cookie of this id."""
        return hmac.new(self._key("csrf"), cookie_id.encode(), hashlib.sha256).hexdigest()

    def bearer(
        self, subject: str, role: Role, accounts: frozenset[str], lasting_s: int, audience: str, issuer: str
    ) -> str:
        """A bearer token of the API, for installations without an issuer of their own."""
        now = int(time.time())
        told = {**claims_of(subject, role, accounts), "aud": audience, "iat": now, "exp": now + lasting_s}
        return jwt.encode(told | ({"iss": issuer} if issuer else {}), self._secret, algorithm=_ALGORITHM)

    def signature(self, *told: str) -> str:
        """A short signature of texts that this installation stands by, for as long as its secret lasts."""
        signed = hmac.new(self._key("statement"), json.dumps(told).encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(signed[:_SIGNATURE_BYTES]).decode().rstrip("=")

    def is_signature(self, signature: str, *told: str) -> bool:
        """Whether it is what `signature` made of these texts."""
        return hmac.compare_digest(signature.encode(), self.signature(*told).encode())

    def _key(self, purpose: str) -> bytes:
        return hmac.new(self._secret, f"botmeter {purpose}".encode(), hashlib.sha256).digest()


def _audience(purpose: Purpose) -> str:
    return f"botmeter:{purpose}"
