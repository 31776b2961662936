"""The server's Prometheus metrics, served on a separate port that customers cannot reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from botmeter.readside.metrics import ProjectionMetrics
from botmeter.readside.projection import Progress
from botmeter.telemetry import web
from botmeter.telemetry.process import register_process
from botmeter.web.api.responses import now_ms
from botmeter.web.problems import API_PREFIX
from botmeter.web.services import Services

#: The label of requests that match no route: paths cannot be labels, because clients can invent any number of them.
_NO_ROUTE = "none"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENTITLEMENT = f"{API_PREFIX}/accounts/{{account_id}}/entitlement"


class WebMetrics:
    """The registry and the metrics in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        register_process(self.registry)
        self.requests = web.REQUESTS.histogram(self.registry)
        self.open_requests = 0

    def projection_callback(self) -> Callable[[Progress], None]:
        """For a server that runs the projection itself: returns the callback to pass to it for its progress."""
        projection = ProjectionMetrics()
        self.registry.register(projection)
        return projection.take

    def watch(self, app: FastAPI) -> None:
        """Registers the metrics of the application's services."""
        self.registry.register(_ServiceCollector(app, self))


class _ServiceCollector(Collector):
    """Reads the state of the services at each scrape."""

    def __init__(self, app: FastAPI, metrics: WebMetrics) -> None:
        self._app, self._metrics = app, metrics

    def collect(self) -> Iterator[Metric]:
        services: Services | None = getattr(self._app.state, "services", None)
        yield web.STREAMS.family(self._metrics.open_requests)
        yield web.READY.family(float(services is not None and services.entitlement.is_ready))
        worst = None if services is None else services.queries.freshness(now_ms())
        if worst is not None and worst.lag_ms is not None:
            yield web.READ_SIDE_LAG.family(worst.lag_ms / 1000)


class RequestTimer:
    """The outermost part of the application: measures the duration of each request."""

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()

        async def send_and_observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else "other"
                labels = (method, _route(scope), str(message["status"]))
                self._metrics.requests.labels(*labels).observe(time.perf_counter() - began_s)
            await send(message)

        self._metrics.open_requests += 1
        try:
            await self._app(scope, receive, send_and_observe)
        finally:
            self._metrics.open_requests -= 1


def _route(scope: Scope) -> str:
    """Returns the route's pattern. The fast lane responds before FastAPI has found a route."""
    path, route = scope["path"], scope.get("route")
    if route is not None:
        pattern = str(
            getattr(route, "path", _NO_ROUTE)
        )  # the router's own pattern, without the prefix it is included under
        is_of_api = path.startswith(f"{API_PREFIX}/") and not pattern.startswith(API_PREFIX)
        return f"{API_PREFIX}{pattern}" if is_of_api else pattern
    is_entitlement = path.startswith(f"{API_PREFIX}/accounts/") and path.endswith("/entitlement")
    return _ENTITLEMENT if is_entitlement else _NO_ROUTE
