"""A real HTTP endpoint that takes webhooks, and answers as it is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Call:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Endpoint:
    """Runs while it is entered; answers with the statuses given, then 204. 0 is no answer at all."""

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None) -> None:
        self._statuses = list(statuses)
        self._arrived = threading.Condition()
        self.calls: list[Call] = []
        endpoint, extra = self, headers or {}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = endpoint._take(Call(self.path, dict(self.headers.items()), body))
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?key=1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, call: Call) -> int:
        with self._arrived:
            self.calls.append(call)
            self._arrived.notify_all()
            return self._statuses.pop(0) if self._statuses else 204

    def waits_for(self, number: int) -> list[Call]:
        """The calls, once there are so many."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self.calls) >= number, PATIENCE_S)
            assert len(self.calls) >= number, f"{len(self.calls)} of {number} calls came"
            return list(self.calls)
