"""`botmeter project`: the read side."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
from prometheus_client import CollectorRegistry

from botmeter.kafka.clients import admin_config
from botmeter.kafka.questions import wait_for_broker
from botmeter.operations.permissions import require
from botmeter.readside.collector import raise_gc_thresholds
from botmeter.readside.database import open_database
from botmeter.readside.metrics import ProjectionMetrics
from botmeter.readside.migrations import migrate
from botmeter.readside.progress_line import ProgressLine
from botmeter.readside.projection import Progress, Projection, Source
from botmeter.readside.rebuild import rebuild
from botmeter.settings.model import Settings
from botmeter.telemetry.logs import log_to_stderr
from botmeter.telemetry.process import register_process
from botmeter.telemetry.serving import Page

log = logging.getLogger("botmeter")


@click.command(name="project", short_help="Run the read side.")
@click.option(
    "--rebuild",
    "is_rebuild",
    is_flag=True,
    help="Project the whole journal into new tables, replace the present ones by them, and end.",
)
@click.pass_obj
def command(settings: Settings, *, is_rebuild: bool) -> None:
    """Project the journal into a database, until stopped: API and page read from it.

    The database is SQLite, the file readside.db in the data directory, or PostgreSQL by BOTMETER_READSIDE_URL. This
    command creates its tables and updates them. Offsets are stored in it too, so that a stop or a crash at any moment
    neither loses nor repeats anything. Of several projections of one database, one writes and the others stand by.

    `botmeter web` runs the projection itself where the database is SQLite.
    """
    log_to_stderr(settings.log_level, settings.log_format, "project")
    raise_gc_thresholds()
    stop = threading.Event()
    received = _stop_on_signals(stop)
    config = admin_config(settings.kafka, settings.bootstrap_servers)
    wait_for_broker(config, settings.broker_timeout_s, log.info)
    require(settings, "project")
    engine = open_database(settings.readside_database())
    migrate(engine)
    line, metrics = ProgressLine(sys.stderr), ProjectionMetrics()
    source = source_of(settings)

    def on_progress(progress: Progress) -> None:
        line.show(progress)
        metrics.take(progress)

    try:
        if is_rebuild:
            rebuild(
                engine,
                source,
                batch_records=settings.readside_batch_records,
                hours_days=settings.readside_hours_days,
                stop=stop,
                on_progress=line.show,
            )
        else:
            with _serving_metrics(metrics, settings.readside_port):
                Projection(
                    engine,
                    source,
                    batch_records=settings.readside_batch_records,
                    hours_days=settings.readside_hours_days,
                    on_progress=on_progress,
                ).run(stop)
    finally:
        line.end()
        engine.dispose()
    if received and received[0] == signal.SIGINT:
        raise KeyboardInterrupt


@contextmanager
def _serving_metrics(metrics: ProjectionMetrics, port: int) -> Iterator[None]:
    """Serves the metrics while the block lasts, if there is a port for them."""
    if port < 0:
        yield
        return
    registry = CollectorRegistry()
    registry.register(metrics)
    register_process(registry)
    with Page(registry, port, "BOTMETER_READSIDE_PORT") as page:
        log.info("metrics at http://localhost:%d/metrics", page.port)
        yield


def source_of(settings: Settings) -> Source:
    """Returns the source of the projection, by the settings."""
    topics = settings.topics()
    return Source(
        bootstrap_servers=settings.bootstrap_servers,
        kafka=settings.kafka,
        group=settings.group,
        journal=topics.journal.name,
        deliveries=topics.deliveries.name,
        rules=topics.rules.name,
        partitions=settings.partitions,
    )


def _stop_on_signals(stop: threading.Event) -> list[int]:
    """Lets SIGTERM and Ctrl-C end the program after the current transaction; returns the list of received signals."""
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, receive)
    return received
