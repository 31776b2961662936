"""Runs the application: the checks at the start, the socket, the server."""

from __future__ import annotations

import signal
import socket
import sys
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from botmeter.errors import ConfigurationError
from botmeter.settings.model import Settings

#: How long the server waits for open requests when it stops.
_GRACE_S: Final = 5
#: Longer than proxies keep an idle connection, so that the server never closes one just as a request arrives on it.
_KEEP_ALIVE_S: Final = 75
#: A computing thread yields to others this often; Python's default is 5 ms.
_SWITCH_S: Final = 0.0005
_BACKLOG: Final = 2048
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def require_secret(settings: Settings) -> None:
    """Raises ConfigurationError without a secret: with an empty one, any client could sign cookies."""
    if not settings.auth_secret.get_secret_value():
        raise ConfigurationError(
            "BOTMETER_AUTH_SECRET is not set, and without it everybody could log in; "
            "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )


def listen(settings: Settings) -> socket.socket:
    """Returns the listening socket of the server. Raises ConfigurationError when the address is in use or not valid."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.http_host, settings.http_port))
        listening.listen(_BACKLOG)  # clients that connect before the server is ready wait and are not refused
    except OSError as error:
        listening.close()
        address = f"{settings.http_host}:{settings.http_port}"
        raise ConfigurationError(
            f"cannot listen on {address}: {error.strerror}; see BOTMETER_HTTP_HOST and _PORT"
        ) from None
    return listening


def address_of(listening: socket.socket) -> str:
    """Returns the URL of a socket for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    host = "localhost" if host in _ANY_ADDRESS else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def public_url(settings: Settings, address: str) -> str:
    """Returns the URL that browsers use: the configured one, else the address of the socket."""
    return settings.http_public_url.rstrip("/") or address


def server_config(app: ASGIApp) -> uvicorn.Config:
    """Returns the configuration of the server."""
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
    """Serves until SIGTERM or Ctrl-C; open requests are finished first."""
    sys.setswitchinterval(_SWITCH_S)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again once it has stopped
    uvicorn.Server(server_config(app)).run(sockets=[listening])
