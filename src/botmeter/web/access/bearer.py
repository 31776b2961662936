"""Bearer tokens of the API, proved once and then known for a minute.

Signature and claims are checked in one call, with a fixed list of one algorithm: HS256 with BOTMETER_AUTH_SECRET, or
what the key of the provider's set is for.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from botmeter.settings.web import WebSettings
from botmeter.web.access.key_set import KeySet
from botmeter.web.access.roles import Access, access_of

#: A token proved within this time is not proved again, unless it has expired.
_KNOWN_S: Final = 60.0
_KNOWN_MAX: Final = 10_000
#: Clocks of issuer and server may differ by this.
_LEEWAY_S: Final = 10

FindKey = Callable[[str], tuple[Any, str]]


class BearerTokens:
    """Who holds a bearer token. Used by one thread, but `prove`, which may ask the provider, by any."""

    def __init__(self, settings: WebSettings) -> None:
        self._audience, self._issuer = settings.auth_audience, settings.auth_issuer or None
        self._role, self._accounts = settings.auth_role_claim, settings.auth_accounts_claim
        self._find_key = _key_finder(settings)
        #: Whether `prove` never waits for anybody.
        self.is_local = not settings.auth_jwks
        self._known: dict[str, tuple[float, Access]] = {}

    def known(self, token: str) -> Access | None:
        """Who holds a token that was proved a moment ago."""
        until_s, access = self._known.get(token, (0.0, None))
        return access if time.time() < until_s else None

    def prove(self, token: str) -> Access:
        """Who holds the token. Raises jwt.InvalidTokenError, KeySetUnavailable."""
        key, algorithm = self._find_key(token)
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=_LEEWAY_S,
            options={"require": ["exp", "sub", "aud"]},
        )
        name = hashlib.blake2b(token.encode(), digest_size=16).hexdigest()
        try:
            access = access_of(claims.get("sub"), claims.get(self._role), claims.get(self._accounts), name)
        except ValueError as error:
            raise jwt.InvalidTokenError(str(error)) from None
        if len(self._known) >= _KNOWN_MAX:
            self._known = {}
        self._known[token] = (min(time.time() + _KNOWN_S, float(claims["exp"]) + _LEEWAY_S), access)
        return access


def _key_finder(settings: WebSettings) -> FindKey:
    if settings.auth_jwks:
        return KeySet(settings.auth_jwks).key_of
    secret = settings.auth_secret.get_secret_value()
    return lambda _: (secret, "HS256")
