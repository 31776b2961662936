"""The JSON Web Key Set of an identity provider, read from its address or a file and cached."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import jwt

#: A key that its provider withdrew is no longer trusted after this time.
_CACHED_S: Final = 300.0
#: A token with an unknown key reloads the set, but not more often than this.
_RELOAD_INTERVAL_S: Final = 30.0
_TIMEOUT_S: Final = 5.0
#: The one algorithm for each type of key; the algorithm that a token names is ignored.
_ALGORITHMS: Final[Mapping[str, str]] = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}


class KeySetUnavailable(Exception):  # noqa: N818 - named by what is wrong
    """The keys cannot be read at the moment, so a token cannot be verified."""


class KeySet:
    """Keys by their id. Any thread may call it; a call may block on a request to the provider."""

    def __init__(self, source: str) -> None:
        """`source` is an address that begins with http, or the path of a file."""
        self._source = source
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._read_s = -_CACHED_S

    def key_of(self, token: str) -> tuple[Any, str]:
        """Returns the key that signed the token, and the algorithm to use it with.

        Raises jwt.InvalidTokenError when there is no such key, KeySetUnavailable when the set cannot be read.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        with self._lock:
            age_s = time.monotonic() - self._read_s
            if age_s >= _CACHED_S or (kid not in self._keys and age_s >= _RELOAD_INTERVAL_S):
                self._keys = {key.key_id: key for key in self._usable_keys()}
                self._read_s = time.monotonic()
            found = self._keys.get(kid)
        if found is None:
            raise jwt.InvalidTokenError("no such key")
        return found.key, _ALGORITHMS[str(found.key_type)]

    def _usable_keys(self) -> list[jwt.PyJWK]:
        listed = self._read().get("keys", [])
        return [jwt.PyJWK(key, algorithm=_ALGORITHMS[key["kty"]]) for key in listed if key.get("kty") in _ALGORITHMS]

    def _read(self) -> dict[str, Any]:
        try:
            if self._source.startswith("http"):
                response = httpx.get(self._source, timeout=_TIMEOUT_S).raise_for_status()
                found: dict[str, Any] = response.json()
            else:
                found = json.loads(Path(self._source).read_text(encoding="utf-8"))
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise KeySetUnavailable(f"cannot read the key set {self._source}: {error}") from error
        return found
