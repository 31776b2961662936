"""Turns tracing on by setting: spans are exported to an OpenTelemetry collector, by OTLP over HTTP.

OpenTelemetry's own variables set the endpoint and the sampling: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and so
on. A thread of its own exports the spans; when the collector does not answer they are dropped, and nothing waits.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from threading import Thread
from typing import TYPE_CHECKING, Final, Literal

from botmeter.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from botmeter.telemetry.spans import Spans

log = logging.getLogger(__name__)

Destination = Literal["none", "otlp"]

#: The only protocol of OpenTelemetry that botmeter supports, and the variables that choose one.
_PROTOCOL: Final = "http/protobuf"
_PROTOCOL_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
#: A stop takes at most ten seconds, of which a worker needs up to nine. A collector that does not answer gets no more.
_CLOSE_S: Final = 0.8


@contextmanager
def traced(destination: Destination, process: str) -> Iterator[Spans | None]:
    """Yields the process's spans for as long as the block lasts; yields None, and imports nothing, for `none`.

    Raises ConfigurationError when OpenTelemetry is not installed or another protocol is set.
    """
    if destination == "none":
        yield None
        return
    try:
        from botmeter.telemetry.spans import Spans  # noqa: PLC0415 - an extra, only needed for tracing

        provider = _provider(process)
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"BOTMETER_TRACES=otlp needs {missing.name}: install botmeter with its extra, botmeter[traces]"
        ) from missing
    try:
        yield Spans(provider)
    finally:
        _close(provider)


def _provider(process: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    _require_protocol()
    try:
        provider = TracerProvider(resource=_resource(process), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"an OTEL_* variable is wrong: {error}") from error
    return provider


def _require_protocol() -> None:
    for name in _PROTOCOL_VARIABLES:
        if (protocol := os.environ.get(name, _PROTOCOL)) != _PROTOCOL:
            raise ConfigurationError(f"{name}: should be {_PROTOCOL}, the one protocol of botmeter, not {protocol!r}")


def _resource(process: str) -> Resource:
    """Names the process: by OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, else by its own name."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - as above

    named = OTELResourceDetector().detect().attributes
    own = {"service.name": f"botmeter-{process}", "service.version": version("botmeter")}
    return Resource.create({name: value for name, value in own.items() if name not in named})


def _close(provider: TracerProvider) -> None:
    """Exports the remaining spans, as far as time allows."""
    closing = Thread(target=provider.shutdown, name="close-traces", daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if closing.is_alive():
        log.warning("the last spans were not exported: the OpenTelemetry collector does not answer")
