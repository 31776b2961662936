"""Traces by setting: what is imported, what is refused, and what a span says of an attempt that failed."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from typing import Final

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from botmeter.errors import ConfigurationError
from botmeter.notify.channels import WebhookChannel
from botmeter.notify.outbox import Claim
from botmeter.notify.outcomes import NotAccepted
from botmeter.notify.recipients import Recipient
from botmeter.notify.tracing import TracedChannel
from botmeter.telemetry.spans import Spans
from botmeter.telemetry.trace_context import Processed, TraceContext, read_traceparent, write_traceparent
from botmeter.telemetry.trace_export import traced
from notify.endpoint import Endpoint
from notify.notices import notice
from notify.test_webhooks import NEW

from .collector import Collector

TRACE: Final = TraceContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, 1)
SOUND: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#: A worker that finds no broker, by when all of it is imported.
STARTED: Final = """
import sys
{before}
from botmeter import cli
sys.argv[1:] = ["worker"]
try:
    cli.main()
except SystemExit as end:
    print(end.code, *(name for name in sys.modules if name.startswith("opentelemetry")))
"""


@pytest.fixture
def told() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(told: InMemorySpanExporter) -> Spans:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(told))
    return Spans(provider)


def started(tmp_path: object, before: str = "", **variables: str) -> tuple[str, str]:
    """What a worker without a broker says on both outputs."""
    away = {"BOTMETER_BOOTSTRAP_SERVERS": "127.0.0.1:1", "BOTMETER_BROKER_TIMEOUT_S": "0"}
    done = subprocess.run(
        [sys.executable, "-c", STARTED.format(before=before)],
        env={**away, "BOTMETER_DATA_DIR": f"{tmp_path}/data", **variables},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.strip(), done.stderr


def test_a_worker_that_tells_no_traces_imports_nothing_of_opentelemetry(tmp_path: object) -> None:
    assert started(tmp_path)[0] == "3"


def test_a_worker_that_tells_traces_needs_the_extra_and_says_so(tmp_path: object) -> None:
    said = started(tmp_path, 'sys.modules["opentelemetry.sdk"] = None', BOTMETER_TRACES="otlp")

    assert said[0].startswith("2")
    assert "BOTMETER_TRACES=otlp needs opentelemetry.sdk" in said[1]
    assert "botmeter[traces]" in said[1]
    assert said[1].count("\n") == 1


def test_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")

    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_PROTOCOL: should be http/protobuf"):
        tell("worker")


def test_a_process_is_named_by_opentelemetrys_variables_else_by_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tell("worker")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "metering")
        tell("worker")

        told = collector.waits_for(lambda spans: len(spans) == 2)
        assert {span.service for span in told} == {"botmeter-worker", "metering"}


def tell(process: str) -> None:
    with traced("otlp", process) as spans:
        assert spans is not None
        spans.process(Processed("t", 0, 1, b"acme", TRACE, "group", 1_000, 2_000))


def test_a_collector_that_does_not_answer_holds_no_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Collector(answers=False) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with caplog.at_level(logging.WARNING):
            tell("worker")

    assert "the last spans were not exported" in caplog.text


def test_an_attempt_that_failed_says_so_and_its_endpoint_can_go_on_with_the_trace(
    told: InMemorySpanExporter, spans: Spans
) -> None:
    with Endpoint(503) as endpoint:
        channel = TracedChannel(WebhookChannel({endpoint.url: [NEW]}, 30.0), spans, ("", 0))
        claim = Claim(
            "token", "delivery-1", replace(notice(), traceparent=SOUND), Recipient("webhook", endpoint.url), "UTC", 2
        )
        outcome = channel.attempt(claim, lambda: None)
        channel.close()

    [span] = told.get_finished_spans()
    assert isinstance(outcome, NotAccepted)
    assert span.attributes is not None
    assert (span.attributes["error.type"], span.attributes["botmeter.delivery.attempt"]) == ("NotAccepted", 2)
    assert span.parent is not None
    assert span.parent.span_id == TRACE.span_id
    own = span.get_span_context()
    assert own is not None
    assert endpoint.calls[0].headers["traceparent"] == f"00-{own.trace_id:032x}-{own.span_id:016x}-01"


def test_an_attempt_that_is_broken_off_failed(told: InMemorySpanExporter, spans: Spans) -> None:
    with pytest.raises(KeyboardInterrupt), spans.deliver("email", TRACE, {}):
        raise KeyboardInterrupt

    [span] = told.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["error.type"] == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SOUND, TRACE),
        (SOUND.encode(), TRACE),
        (SOUND[:-1] + "0", TRACE._replace(flags=0)),
        ("cc" + SOUND[2:] + "-what-comes-later", TRACE),
        (SOUND + "-more", None),
        ("ff" + SOUND[2:], None),
        (SOUND.upper(), None),
        (SOUND.replace("b7ad6b7169203331", "0" * 16), None),
        (SOUND.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), None),
        (SOUND + "\n", None),
        (SOUND.replace("0af7", "\u0660af7"), None),
        (b"\xff" * 55, None),
        ("", None),
        (None, None),
    ],
)
def test_a_traceparent_is_read_by_the_letter(text: bytes | str | None, found: TraceContext | None) -> None:
    assert read_traceparent(text) == found


def test_a_traceparent_is_written_as_it_is_read() -> None:
    assert write_traceparent(TRACE) == SOUND
