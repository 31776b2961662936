"""The notifier's metrics and health, served over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from botmeter.errors import ConfigurationError
from botmeter.notify.database import reading
from botmeter.notify.outbox import Finished
from botmeter.notify.tables import deliveries, reports, unreadable
from botmeter.telemetry import notify
from botmeter.telemetry.process import register_process

_Reply = Callable[[str, list[tuple[str, str]]], Any]


class Metrics:
    """What this notifier has done since its start, and how the outbox it shares stands."""

    def __init__(self, engine: Engine, clock_ms: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_OutboxState(engine, clock_ms))
        register_process(self.registry)
        self._attempts = notify.ATTEMPTS.counter(self.registry)
        self._delay = notify.DELAY.histogram(self.registry)
        self._lost_claims = notify.LOST_CLAIMS.counter(self.registry)

    def finished(self, finished: Finished) -> None:
        """An attempt came to an end."""
        self._attempts.labels(finished.channel, finished.state).inc()
        if finished.state in ("sent", "maybe_twice"):
            self._delay.labels(finished.channel).observe(finished.delay_ms / 1000)

    def lost_claim(self) -> None:
        """A sender was too slow."""
        self._lost_claims.inc()


class _OutboxState(Collector):
    """Read from the database whenever somebody asks."""

    def __init__(self, engine: Engine, clock_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._clock_ms = clock_ms

    def collect(self) -> Iterator[Metric]:
        with reading(self._engine) as connection:
            states = connection.execute(
                select(deliveries.c.channel, deliveries.c.state, func.count()).group_by(
                    deliveries.c.channel, deliveries.c.state
                )
            ).all()
            oldest = connection.execute(
                select(deliveries.c.channel, func.min(deliveries.c.changed_at_ms))
                .where(deliveries.c.next_at_ms.is_not(None))
                .group_by(deliveries.c.channel)
            ).all()
            unpublished = connection.execute(select(func.count()).select_from(reports)).scalar_one()
            bad = connection.execute(select(func.count()).select_from(unreadable)).scalar_one()
        by_state, waiting = notify.DELIVERIES.family(), notify.OLDEST_WAITING.family()
        for channel, state, count in states:
            by_state.add_metric([channel, state], count)
        for channel, changed_at_ms in oldest:
            waiting.add_metric([channel], max(0.0, (self._clock_ms() - changed_at_ms) / 1000))
        yield by_state
        yield waiting
        yield notify.UNPUBLISHED_REPORTS.family(unpublished)
        yield notify.UNREADABLE_RECORDS.family(bad)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by the library
        """Requests are no news."""


class Page:
    """`/metrics` and `/health` at a port, while it is entered."""

    def __init__(self, metrics: Metrics, port: int, fault: Callable[[], str | None]) -> None:
        """`fault` says what is wrong with the notifier, None when nothing is. Raises ConfigurationError."""
        self._fault = fault
        self._metrics = make_wsgi_app(metrics.registry)
        try:
            self._server: WSGIServer = make_server("", port, self._answer, handler_class=_Quiet)
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve health and metrics at port {port} (BOTMETER_NOTIFY_PORT): {error.strerror}"
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
            page: Iterable[bytes] = self._metrics(environment, reply)
            return page
        if environment["PATH_INFO"] == "/health":
            fault = self._fault()
            reply("503 Service Unavailable" if fault else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{fault or 'running'}\n".encode()]
        reply("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"there are /health and /metrics\n"]


def now_ms() -> int:
    """The clock, UTC ms."""
    return time.time_ns() // 1_000_000
