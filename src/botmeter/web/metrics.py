"""What the server tells Prometheus, at a port of its own that no customer reaches."""

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
from botmeter.web.api.answers import now_ms
from botmeter.web.problems import API_PREFIX
from botmeter.web.services import Services

#: Of what no route answers: paths are no labels, anybody can make them up.
_NO_ROUTE = "none"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENTITLEMENT = f"{API_PREFIX}/accounts/{{account_id}}/entitlement"


class WebMetrics:
    """The registry, and what fills it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        register_process(self.registry)
        self.requests = web.REQUESTS.histogram(self.registry)
        self.open = 0

    def of_projection(self) -> Callable[[Progress], None]:
        """For a server that projects itself: what the projection is to tell its progress."""
        projection = ProjectionMetrics()
        self.registry.register(projection)
        return projection.take

    def watch(self, app: FastAPI) -> None:
        """Tells how the application's services stand."""
        self.registry.register(_Standing(app, self))


class _Standing(Collector):
    """Asked when somebody scrapes."""

    def __init__(self, app: FastAPI, metrics: WebMetrics) -> None:
        self._app, self._metrics = app, metrics

    def collect(self) -> Iterator[Metric]:
        services: Services | None = getattr(self._app.state, "services", None)
        yield web.STREAMS.family(self._metrics.open)
        yield web.READY.family(float(services is not None and services.entitlement.is_ready))
        worst = None if services is None else services.queries.freshness(now_ms())
        if worst is not None and worst.lag_ms is not None:
            yield web.READ_SIDE_LAG.family(worst.lag_ms / 1000)


class Timed:
    """The outermost part of the application: takes the time of each request."""

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
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

        self._metrics.open += 1
        try:
            await self._app(scope, receive, send_and_observe)
        finally:
            self._metrics.open -= 1


def _route(scope: Scope) -> str:
    """The route's pattern; the fast lane answers before one is found."""
    path, route = scope["path"], scope.get("route")
    if route is not None:
        pattern = str(getattr(route, "path", _NO_ROUTE))  # a router's own, without what it is included under
        is_of_api = path.startswith(f"{API_PREFIX}/") and not pattern.startswith(API_PREFIX)
        return f"{API_PREFIX}{pattern}" if is_of_api else pattern
    is_entitlement = path.startswith(f"{API_PREFIX}/accounts/") and path.endswith("/entitlement")
    return _ENTITLEMENT if is_entitlement else _NO_ROUTE
