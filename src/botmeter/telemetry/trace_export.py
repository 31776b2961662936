"""From the setting to a process that traces: spans go to an OpenTelemetry collector, by OTLP over HTTP.

OpenTelemetry's own variables say where it is, and how much is sampled: OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_TRACES_SAMPLER and so on. Spans are told by a thread of their own; when the collector is away they are dropped, and
nothing waits.
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

#: The one that botmeter has of the protocols OpenTelemetry knows, and the variables that choose one.
_PROTOCOL: Final = "http/protobuf"
_PROTOCOL_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
#: A stop takes at most ten seconds, of which a worker needs up to nine; a collector that is away has no claim on more.
_CLOSE_S: Final = 0.8


@contextmanager
def traced(destination: Destination, process: str) -> Iterator[Spans | None]:
    """The process's spans for as long as the block lasts; None, and nothing imported, for `none`.

    Raises ConfigurationError when OpenTelemetry is not installed or told to speak another protocol.
    """
    if destination == "none":
        yield None
        return
    try:
        from botmeter.telemetry.spans import Spans  # noqa: PLC0415 - an extra, for those who trace

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
    """Who tells: as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, else by the name of the process."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - as above

    named = OTELResourceDetector().detect().attributes
    own = {"service.name": f"botmeter-{process}", "service.version": version("botmeter")}
    return Resource.create({name: value for name, value in own.items() if name not in named})


def _close(provider: TracerProvider) -> None:
    """Tells what is left, as far as there is time."""
    closing = Thread(target=provider.shutdown, name="close-traces", daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if closing.is_alive():
        log.warning("the last spans were not told: the OpenTelemetry collector does not answer")
