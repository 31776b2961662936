"""A real OpenTelemetry collector, as far as one is needed: it takes spans by OTLP over HTTP, and keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Told:
    """A span as it came over the wire; ids in hex, attributes as plain values."""

    service: str
    schema_url: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    linked_to: tuple[str, ...]
    began_ns: int
    ended_ns: int
    status: int
    attributes: dict[str, Any]


class Collector:
    """Runs while it is entered; with `answers=False` it takes requests and never answers them."""

    def __init__(self, *, answers: bool = True) -> None:
        self._arrived = threading.Condition()
        self._end = threading.Event()
        self._spans: list[Told] = []
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector._take(self.path, body)
                if not answers:
                    collector._end.wait(PATIENCE_S)
                    return
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def spans(self) -> list[Told]:
        """All so far, in the order in which they began."""
        with self._arrived:
            return sorted(self._spans, key=lambda span: span.began_ns)

    def waits_for(self, is_there: Callable[[list[Told]], bool]) -> list[Told]:
        """The spans, once it is so."""
        with self._arrived:
            self._arrived.wait_for(lambda: is_there(self._spans), PATIENCE_S)
            assert is_there(self._spans), [(span.service, span.name) for span in self._spans]
        return self.spans

    def _take(self, path: str, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        told = [
            _told(span, _plain(of_process.resource.attributes)["service.name"], of_library.schema_url)
            for of_process in request.resource_spans
            for of_library in of_process.scope_spans
            for span in of_library.spans
        ]
        with self._arrived:
            self.paths.add(path)
            self._spans += told
            self._arrived.notify_all()


def _told(span: Any, service: str, schema_url: str) -> Told:
    return Told(
        service=service,
        schema_url=schema_url,
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        linked_to=tuple(link.span_id.hex() for link in span.links),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        status=span.status.code,
        attributes=_plain(span.attributes),
    )


def _plain(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)
