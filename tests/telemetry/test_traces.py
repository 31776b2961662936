"""One trace runs from the chat to the mail, on a real Kafka: told by publisher, web, worker and notifier."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from botmeter.client import Client, Connection, as_interaction
from notify.endpoint import Endpoint
from notify.installation import QUICK
from notify.mail_server import MailServer
from notify.test_webhooks import NEW
from web.application import SECRET, bearer
from worker.cluster import Cluster
from worker.process import PATIENCE_S, WorkerProcess
from worker.traffic import interaction, opening

from .collector import Collector, Told

pytestmark = pytest.mark.kafka

#: Of a program that publishes with a trace context of its own and tells no spans; its second half names its span.
BROWSER: Final = f"{0xB0B:032x}"
UNSAMPLED: Final = f"{0xDEAD:032x}"
SPOILED: Final = f"{0x5B01:032x}"
SPAN: Final = f"{0x1:016x}"
PRODUCER, CLIENT, CONSUMER = 4, 3, 5
ERROR: Final = 2
#: All that is told of the chat that uses the last session: by whom, and how often.
CHATS: Final = Counter(
    {
        ("chat", "chat"): 1,
        ("chat", "send chat.interactions"): 1,
        ("botmeter-worker", "process chat.interactions"): 1,
        ("botmeter-notify", "process alerts"): 2,
        ("botmeter-notify", "process handoffs"): 1,
        ("botmeter-notify", "send email"): 2,
        ("botmeter-notify", "send webhook"): 3,
    }
)


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


@contextmanager
def chat_platform(cluster: Cluster, collector: Collector) -> Iterator[tuple[Client, TracerProvider]]:
    """A program that traces by itself and publishes by the SDK."""
    provider = TracerProvider(resource=Resource({"service.name": "chat"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collector.url}/v1/traces")))
    with Client(Connection(cluster.bootstrap_servers, cluster.topics, tracer_provider=provider)) as client:
        yield client, provider
    provider.shutdown()


def of(trace_id: str, spans: list[Told]) -> list[Told]:
    return [span for span in spans if span.trace_id == trace_id]


def publish_at(web: WorkerProcess, fields: dict[str, Any], traceparent: str) -> None:
    found = re.search(r"listening at (http://\S+)", web.hears(r"listening at http://"))
    assert found is not None
    headers = {**bearer("operator"), "traceparent": traceparent}
    answer = httpx.post(f"{found[1]}/v1/interactions", json=fields, headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == 202, answer.text


def test_one_trace_runs_from_the_chat_to_the_mail(cluster: Cluster) -> None:
    topics = cluster.topics
    with Collector() as collector, MailServer() as mailbox, Endpoint() as endpoint:
        telling = {
            "BOTMETER_TRACES": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "BOTMETER_COMPLIMENTARY_SESSIONS": "2",
        }
        notifying = {
            **QUICK,
            "BOTMETER_NOTIFY_SMTP_HOST": "127.0.0.1",
            "BOTMETER_NOTIFY_SMTP_PORT": str(mailbox.port),
            "BOTMETER_NOTIFY_WEBHOOKS": f"{endpoint.url} {NEW}",
            "BOTMETER_NOTIFY_GROUP": f"{cluster.group}-notify",
        }
        serving = {"BOTMETER_HTTP_PORT": "0", "BOTMETER_AUTH_SECRET": SECRET}
        cluster.put(topics.commands, "acme", json.dumps(opening("acme")).encode())
        cluster.flush()
        worker = cluster.worker(**telling)
        with (
            WorkerProcess(cluster.environment("notify", **telling, **notifying), "notify") as notifier,
            WorkerProcess(cluster.environment("web", **telling, **serving), "web") as web,
            chat_platform(cluster, collector) as (client, provider),
        ):
            publish_at(web, interaction("acme", "u-1"), f"00-{BROWSER}-{SPAN}-01")
            collector.waits_for(lambda spans: len(of(BROWSER, spans)) == 2)
            spoil(cluster)
            with provider.get_tracer("chat").start_as_current_span("chat") as chat:
                client.publish(as_interaction(interaction("acme", "u-2")))
            trace_id = f"{chat.get_span_context().trace_id:032x}"
            told = collector.waits_for(lambda spans: len(of(trace_id, spans)) == CHATS.total())
            for process in (worker, notifier, web):
                process.leaves()

    assert collector.paths == {"/v1/traces"}
    assert {span.schema_url for span in told if span.name != "chat"} == {"https://opentelemetry.io/schemas/1.45.0"}
    assert {span.trace_id for span in told} == {BROWSER, SPOILED, trace_id}
    check_the_browsers(of(BROWSER, told), cluster)
    check_the_spoiled(of(SPOILED, told))
    check_the_chats(of(trace_id, told), cluster)
    of_webhooks = {f"00-{trace_id}-{span.span_id}" for span in told if span.name == "send webhook"}
    assert {call.headers["traceparent"].rpartition("-")[0] for call in endpoint.calls} == of_webhooks


def spoil(cluster: Cluster) -> None:
    """Records of which no spans are told, and one that becomes a dead letter."""
    topics = cluster.topics
    cluster.put(topics.interactions, "acme", json.dumps(interaction("acme", "u-1")).encode())
    unsampled: Any = [("traceparent", f"00-{UNSAMPLED}-{SPAN}-00".encode())]
    cluster.put(topics.interactions, "acme", json.dumps(interaction("acme", "u-1")).encode(), headers=unsampled)
    spoiled: Any = [("traceparent", f"00-{SPOILED}-{SPAN}-01".encode())]
    cluster.put(topics.interactions, "acme", b"hello", headers=spoiled)
    cluster.flush()


def check_the_browsers(spans: list[Told], cluster: Cluster) -> None:
    send, process = spans
    topic = cluster.topics.interactions.name

    assert (send.service, send.name, send.kind, send.parent_id) == ("botmeter-web", f"send {topic}", PRODUCER, SPAN)
    assert send.attributes["messaging.message.id"] == "e-u-1"
    assert (process.service, process.name) == ("botmeter-worker", f"process {topic}")
    assert (process.kind, process.parent_id, process.linked_to) == (CONSUMER, send.span_id, (send.span_id,))
    assert process.attributes["botmeter.events"] == ["session_started"]


def check_the_spoiled(spans: list[Told]) -> None:
    [process] = spans

    assert (process.parent_id, process.status) == (SPAN, ERROR)
    assert process.attributes["error.type"] == "malformed"


def check_the_chats(spans: list[Told], cluster: Cluster) -> None:
    topics = cluster.topics
    names = [(span.service, span.name.replace(topics.alerts.name.removesuffix("alerts"), "")) for span in spans]
    chat, send, process = spans[:3]

    assert Counter(names) == CHATS
    assert names[:3] == list(CHATS)[:3]
    assert {span.parent_id for span in spans[2:]} == {send.span_id}
    assert (chat.parent_id, send.parent_id, send.kind) == ("", chat.span_id, PRODUCER)
    assert send.attributes == {
        "messaging.system.name": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topics.interactions.name,
        "messaging.destination.partition.id": process.attributes["messaging.destination.partition.id"],
        "messaging.message.id": "e-u-2",
        "messaging.message.conversation_id": "c-u-2",
        "messaging.message.body.size": send.attributes["messaging.message.body.size"],
        "kafka.message.key": "acme",
        "kafka.offset": process.attributes["kafka.offset"],
    }
    assert {**process.attributes, "kafka.offset": 0, "messaging.destination.partition.id": "0"} == {
        "messaging.system.name": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": topics.interactions.name,
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": cluster.group,
        "kafka.message.key": "acme",
        "kafka.offset": 0,
        "botmeter.events": ["session_started", "threshold_reached", "sessions_exhausted"],
    }
    check_the_notifiers(spans[3:], cluster)


def check_the_notifiers(spans: list[Told], cluster: Cluster) -> None:
    """Each alert is kept before anybody is told of it; both say which one."""
    kept = {span.attributes["messaging.message.id"]: span for span in spans if span.kind == CONSUMER}
    sent = [span for span in spans if span.kind == CLIENT]

    assert set(kept) == {"alert/acme/6", "alert/acme/7", "handoff/acme/7"}
    assert {span.attributes["messaging.consumer.group.name"] for span in kept.values()} == {f"{cluster.group}-notify"}
    assert all(kept[span.attributes["botmeter.notice.id"]].began_ns <= span.began_ns for span in sent)
    assert {span.attributes["server.address"] for span in sent} == {"127.0.0.1"}
    assert {span.attributes["botmeter.delivery.attempt"] for span in sent} == {1}
    assert {span.status for span in sent} == {0}
