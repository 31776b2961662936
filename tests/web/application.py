"""The application on a server of its own, and the credentials that callers of each kind have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import uvicorn
from starlette.types import ASGIApp

from botmeter.settings.model import Settings
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.access.roles import Role
from botmeter.web.app import Parts, make_app
from botmeter.web.server import listen, public_url, server_config

SECRET: Final = "a secret of the tests, long enough for HS512 too, which asks for 64 bytes"  # noqa: S105 - it guards nothing
#: An end to hanging, not a measure.
PATIENCE_S: Final = 60.0


def web_settings(**changed: Any) -> Settings:
    return Settings(auth_secret=SECRET, http_port=0, http_rate_per_s=changed.pop("http_rate_per_s", 10_000), **changed)


def bearer(role: Role, *accounts: str, subject: str = "tester", valid_s: int = 600) -> dict[str, str]:
    """The header of a caller with this role."""
    token = OwnTokens(SECRET).bearer(subject, role, frozenset(accounts), valid_s, "botmeter", "")
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def served(make: Callable[[str], ASGIApp], settings: Settings) -> Iterator[str]:
    """Serves what `make` gives for its address, on a free port; the address."""
    listening = listen(settings)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(server_config(make(address)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@contextmanager
def browser_at(settings: Settings, **parts: Any) -> Iterator[httpx.Client]:
    """A client that keeps cookies and follows no redirect, with the application behind it."""
    with (
        served(lambda address: make_app(Parts(settings, public_url(settings, address), **parts)), settings) as address,
        httpx.Client(base_url=address, timeout=PATIENCE_S) as client,
    ):
        yield client
