"""Builds and wires the parts of a worker; no other module does."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botmeter.clock import Clock
from botmeter.contracts.topics import Topics
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.lag import LagWatch
from botmeter.engine.precedence import CommandEnds
from botmeter.engine.processor import EngineSettings, Processor
from botmeter.engine.restore import Restorer, RestoreSettings
from botmeter.engine.timer import Ends, Timer
from botmeter.engine.traced import find_none, finder
from botmeter.engine.transaction import Transaction
from botmeter.errors import ConfigurationError
from botmeter.host.app import Host
from botmeter.host.metrics import Metrics
from botmeter.host.process_spans import ProcessSpans
from botmeter.kafka import clients, questions
from botmeter.kafka.backlog import BacklogReader
from botmeter.kafka.rules_log import RULES_PARTITION
from botmeter.kafka.topic_setup import require_topics
from botmeter.kafka.topic_watch import TopicWatch
from botmeter.metering.state import WINDOW_BYTES
from botmeter.operations import permissions
from botmeter.operations.rules import RulesDesk
from botmeter.settings.load import instance_id
from botmeter.settings.model import Settings

if TYPE_CHECKING:
    from botmeter.telemetry.spans import Spans


@contextmanager
def data_directory(path: Path) -> Iterator[None]:
    """Locks the directory of the stores for this process. Raises ConfigurationError when it cannot."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        reason = f"cannot use the data directory {path} (BOTMETER_DATA_DIR): {error.strerror}"
        raise ConfigurationError(reason) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ConfigurationError(
            f"another worker uses the data directory {path}; give each its own BOTMETER_DATA_DIR"
        ) from None
    try:
        yield
    finally:
        os.close(lock)


def make_processor(settings: Settings, report: Callable[[str], None]) -> Processor:
    """Returns the engine, ready to be opened; first waits for the broker and checks permissions, topics and rules.

    Raises ClusterError when no broker answers or a check fails, ConfigurationError when other rules are in force.
    """
    admin_config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(admin_config, settings.broker_timeout_s, report)
    admin = clients.make_admin(admin_config)
    topics, rules, clock = settings.topics(), settings.rules(), Clock()
    broker_time = BrokerTime(clock, settings.clock_skew_limit_s * 1000)
    permissions.require(settings, "worker")
    require_topics(admin, topics.all(), settings.partitions)
    name = instance_id(settings)
    RulesDesk(settings, admin).agree(by=name)
    consumer = clients.consumer_config(settings.kafka, settings.bootstrap_servers, settings.group, name)
    reader = clients.reader_config(settings.kafka, settings.bootstrap_servers, settings.group)
    producer = clients.producer_config(
        settings.kafka,
        settings.bootstrap_servers,
        f"{settings.group}-{name}",
        settings.transaction_timeout_ms,
    )
    restorer = Restorer(
        RestoreSettings(
            topics=topics,
            rules=rules,
            partitions=settings.partitions,
            data_dir=settings.data_dir,
            # one worker may own all partitions
            cache_windows=(settings.cache_mib << 20) // WINDOW_BYTES // settings.partitions,
            snapshot_interval_s=settings.snapshot_interval_s,
            store_max_age_ms=settings.store_max_age_s * 1000,
        ),
        lambda: clients.make_consumer(reader),
        admin,
        clock,
    )

    def end_of(topic: str, partition: int) -> int:
        return questions.end_offsets(admin, topic, [partition])[partition]

    transaction = Transaction(
        lambda on_loss: clients.make_producer(clients.with_loss_listener(producer, on_loss)),
        topics,
        settings.transaction_timeout_ms / 1000,
        broker_time,
        clock,
        lambda: end_of(topics.rules.name, RULES_PARTITION),
    )
    timer = Timer(lambda partition: _ends(end_of, topics, partition), broker_time, clock)
    lag = LagWatch(lambda: BacklogReader(admin, reader), (topics.interactions.name, topics.commands.name), clock)
    return Processor(
        _engine_settings(settings, name, clock),
        lambda: clients.make_consumer(consumer),
        restorer,
        timer,
        transaction,
        CommandEnds(
            high=lambda partitions: questions.ask_end_offsets(admin, topics.commands.name, partitions),
            stable=lambda partitions: questions.ask_stable_offsets(admin, topics.commands.name, partitions),
            find_leaders=lambda: questions.find_leaders(admin, topics.commands.name),
        ),
        TopicWatch(admin, [topic.name for topic in topics.all()]),
        clock,
        lag,
    )


def _engine_settings(settings: Settings, name: str, clock: Clock) -> EngineSettings:
    return EngineSettings(
        settings.topics(),
        settings.rules(),
        settings.partitions,
        settings.batch_records,
        settings.linger_ms / 1000,
        name,
        settings.dead_letter_limit_percent,
        find_none if settings.traces == "none" else finder(clock),
    )


def _ends(end_of: Callable[[str, int], int], topics: Topics, partition: int) -> Ends:
    return Ends(end_of(topics.interactions.name, partition), end_of(topics.commands.name, partition))


def make_host(settings: Settings, processor: Processor, spans: Spans | None) -> Host:
    """Returns the worker around the engine; call it in the event loop. `spans` exports traces, if any."""
    # Produce, commit and abort may each take the transaction timeout; the rest is for a slow machine.
    commit_limit_s = 4 * settings.transaction_timeout_ms / 1000 + 60
    # A turn may wait for a commit twice: shortly in a rebalance, and up to the limit before it submits the next batch.
    turn_limit_s = commit_limit_s + 60
    port = settings.web_port or _free_port()
    metrics, topics = Metrics(processor), settings.topics()
    process_spans = None if spans is None else ProcessSpans(spans, topics, settings.group)
    return Host(processor, metrics, settings.data_dir, port, commit_limit_s, turn_limit_s, topics, process_spans)


def _free_port() -> int:
    """Returns a free port; Faust needs an explicit one."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
