"""Fixtures for tests that need a real Apache Kafka: one broker serves the whole session.

BOTMETER_TEST_KAFKA says which: `embedded` (the default) or `testcontainers`, which takes a Docker daemon.
"""

from __future__ import annotations

import itertools
import os
import re
import resource
import signal
import zoneinfo
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from time import process_time

import pytest
from hypothesis import HealthCheck, Phase, settings

from botmeter.embedded import EmbeddedKafka, EmbeddedKafkaUnavailable
from botmeter.embedded.distribution import KAFKA_VERSION
from botmeter.embedded.ports import free_ports
from botmeter.embedded.properties import BROKER_PROPERTIES
from botmeter.embedded.readiness import await_broker, create_internal_topics
from figures import PROPERTY, told

# As the program does: time zones come from the pinned database, the same on every machine.
zoneinfo.reset_tzpath(to=())
# Programs under test must meet SIGINT as at a terminal, also where whoever started the tests ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No example is judged by how long it took, and none is drawn too slowly: the machine is shared. The same examples on
# every run where CI is set; new ones on every run elsewhere.
settings.register_profile(
    "botmeter",
    max_examples=int(os.environ.get("BOTMETER_TEST_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
# For make mutants: the first example that fails will do, and every mutant meets the same ones.
settings.register_profile(
    "mutants", settings.get_profile("botmeter"), phases=[Phase.explicit, Phase.generate], derandomize=True
)
settings.load_profile("botmeter")

CONTAINER_CLUSTER_ID = "botmeter-tests-in-a-co"
#: An end to hanging, not a measure: the first download of Apache Kafka counts towards the first test that asks for it.
KAFKA_TEST_TIMEOUT_S = 900

_prefix_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on a real Kafka are given the time that brokers, workers and downloads may take on a busy machine.

    A longer one that a test asks for itself is kept.
    """
    for item in items:
        if "open_page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if item.get_closest_marker("kafka") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(KAFKA_TEST_TIMEOUT_S))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of all long tests, last."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    if lines := told(reports):
        terminalreporter.section("figures")
        terminalreporter.write("\n".join([*lines, ""]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """A test that takes more than BOTMETER_TEST_CPU_S seconds of CPU ends its process, however busy the machine is.

    For make mutants, where a fault may be an endless loop.
    """
    limit_s = int(os.environ.get("BOTMETER_TEST_CPU_S", "0"))
    if not limit_s:
        return (yield)
    before = soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    end = int(process_time()) + limit_s
    resource.setrlimit(resource.RLIMIT_CPU, (end if soft == resource.RLIM_INFINITY else min(end, soft), hard))
    try:
        return (yield)
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, before)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Iterator[Counter[str]]:
    """What this test counts, by its name in the plural; told at the end of the run, whatever became of the test."""
    counted: Counter[str] = Counter()
    yield counted
    record_property(PROPERTY, dict(counted))


@dataclass(frozen=True)
class Kafka:
    """A broker that is there for tests."""

    bootstrap_servers: str


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """The session's broker; a test that bounces or kills one starts an EmbeddedKafka of its own."""
    match os.environ.get("BOTMETER_TEST_KAFKA", "embedded"):
        case "embedded":
            yield from _embedded_kafka()
        case "testcontainers":
            yield from _kafka_in_a_container()
        case other:
            pytest.fail(f"BOTMETER_TEST_KAFKA is {other!r}: say embedded or testcontainers", pytrace=False)


@pytest.fixture
def bootstrap_servers(kafka: Kafka) -> str:
    """Where clients find the session's broker."""
    return kafka.bootstrap_servers


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix, ending in a dot, for topics, groups and transactional ids that no other test has."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    return f"{words}-{next(_prefix_numbers)}."


def _embedded_kafka() -> Iterator[Kafka]:
    with ExitStack() as running:
        try:
            broker = running.enter_context(EmbeddedKafka(report=print))
        except EmbeddedKafkaUnavailable as error:
            pytest.fail(f"no Apache Kafka for the tests: {error}", pytrace=False)
        yield Kafka(broker.bootstrap_servers)


def _kafka_in_a_container() -> Iterator[Kafka]:
    from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415 - only here
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

    try:
        host = DockerClient().host()
    except DockerException as error:
        pytest.fail(f"no Docker daemon for the tests, which embedded would not need: {error}", pytrace=False)
    [port] = free_ports(1)
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "controller.listener.names": "CONTROLLER",
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        **BROKER_PROPERTIES,
    }
    settings = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}
    container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(9092, port)
    with container.with_envs(CLUSTER_ID=CONTAINER_CLUSTER_ID, **settings):
        await_broker(
            f"{host}:{port}",
            cluster_id=CONTAINER_CLUSTER_ID,
            timeout_ms=60_000,
            between_attempts=lambda: None,
        )
        create_internal_topics(f"{host}:{port}", BROKER_PROPERTIES)
        yield Kafka(f"{host}:{port}")
