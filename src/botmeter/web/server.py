"""Runs the application: the socket, the server, and what is told at the start."""

from __future__ import annotations

import signal
import socket
import sys
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from botmeter.errors import ConfigurationError
from botmeter.settings.model import Settings

#: How long requests under way are waited for when the server stops.
_GRACE_S: Final = 5
#: Longer than proxies keep an idle connection, so that none is closed just as a request comes in on it.
_KEEP_ALIVE_S: Final = 75
#: A thread that computes gives way this often; by default Python lets others wait for 5 ms.
_SWITCH_S: Final = 0.0005
_BACKLOG: Final = 2048
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what a person sets, recognised


def require_secret(settings: Settings) -> None:
    """Raises ConfigurationError without a secret: anybody could sign cookies with none."""
    if not settings.auth_secret.get_secret_value():
        raise ConfigurationError(
            "BOTMETER_AUTH_SECRET is not set, and without it everybody could log in; "
            "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )


def listen(settings: Settings) -> socket.socket:
    """The socket the server will serve. Raises ConfigurationError when the address is taken or is none."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.http_host, settings.http_port))
        found.listen(_BACKLOG)  # who comes before the server is ready waits, and is not turned away
    except OSError as error:
        found.close()
        address = f"{settings.http_host}:{settings.http_port}"
        raise ConfigurationError(
            f"cannot listen on {address}: {error.strerror}; see BOTMETER_HTTP_HOST and _PORT"
        ) from None
    return found


def address_of(listening: socket.socket) -> str:
    """The address of a socket, as a browser on this machine would find it."""
    host, port = listening.getsockname()[:2]
    host = "localhost" if host in _ANY_ADDRESS else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def public_url(settings: Settings, address: str) -> str:
    """Where browsers find the page: the configured address, else the one listened on."""
    return settings.http_public_url.rstrip("/") or address


def server_config(app: ASGIApp) -> uvicorn.Config:
    """How the server runs."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serves until SIGTERM or Ctrl-C; requests under way are finished first."""
    sys.setswitchinterval(_SWITCH_S)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server passes a signal on once it has stopped
    uvicorn.Server(server_config(app)).run(sockets=[listening])
