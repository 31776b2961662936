"""Serves health and metrics at a port of their own, for a process that has no other HTTP server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from botmeter.errors import ConfigurationError

_Reply = Callable[[str, list[tuple[str, str]]], Any]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by the library
        """Requests are not logged."""


class Page:
    """Serves `/metrics` and `/health` at a port, within its `with` block."""

    def __init__(
        self, registry: CollectorRegistry, port: int, variable: str, fault: Callable[[], str | None] = lambda: None
    ) -> None:
        """`fault` returns what is wrong with the process, or None; `variable` is the setting of the port.

        Port 0 chooses any free one. Raises ConfigurationError when the port is taken.
        """
        self._fault = fault
        self._page = make_wsgi_app(registry)
        try:
            self._server: WSGIServer = make_server("", port, self._answer, handler_class=_Quiet)
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve health and metrics at port {port} ({variable}): {error.strerror}"
            ) from None
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environment: dict[str, Any], reply: _Reply) -> Iterable[bytes]:
        if environment["PATH_INFO"] == "/metrics":
            metrics: Iterable[bytes] = self._page(environment, reply)
            return metrics
        if environment["PATH_INFO"] == "/health":
            fault = self._fault()
            reply("503 Service Unavailable" if fault else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{fault or 'running'}\n".encode()]
        reply("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"there are /health and /metrics\n"]
