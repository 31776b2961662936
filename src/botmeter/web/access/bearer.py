"""Bearer tokens of the API, verified once and then cached for a minute.

Signature and claims are checked in one call, with a fixed list of one algorithm: HS256 with BOTMETER_AUTH_SECRET, or
the algorithm of the key in the provider's key set.
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

#: A token verified within this time is not verified again, unless it has expired.
_CACHED_S: Final = 60.0
_CACHED_MAX: Final = 10_000
#: The clocks of issuer and server may differ by this much.
_LEEWAY_S: Final = 10

FindKey = Callable[[str], tuple[Any, str]]


class BearerTokens:
    """Maps bearer tokens to the access they give. For one thread; only `verify`, which may block, is for any thread."""

    def __init__(self, settings: WebSettings) -> None:
        self._audience, self._issuer = settings.auth_audience, settings.auth_issuer or None
        self._role, self._accounts = settings.auth_role_claim, settings.auth_accounts_claim
        self._find_key = _key_finder(settings)
        #: Whether `verify` never blocks on a request to the provider.
        self.is_local = not settings.auth_jwks
        self._cached: dict[str, tuple[float, Access]] = {}

    def cached(self, token: str) -> Access | None:
        """Returns the access of a recently verified token."""
        until_s, access = self._cached.get(token, (0.0, None))
        return access if time.time() < until_s else None

    def verify(self, token: str) -> Access:
        """Returns the access that the token gives. Raises jwt.InvalidTokenError, KeySetUnavailable."""
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
        digest = hashlib.blake2b(token.encode(), digest_size=16).hexdigest()
        try:
            access = access_of(claims.get("sub"), claims.get(self._role), claims.get(self._accounts), digest)
        except ValueError as error:
            raise jwt.InvalidTokenError(str(error)) from None
        if len(self._cached) >= _CACHED_MAX:
            self._cached = {}
        self._cached[token] = (min(time.time() + _CACHED_S, float(claims["exp"]) + _LEEWAY_S), access)
        return access


def _key_finder(settings: WebSettings) -> FindKey:
    if settings.auth_jwks:
        return KeySet(settings.auth_jwks).key_of
    secret = settings.auth_secret.get_secret_value()
    return lambda _: (secret, "HS256")
