"""`botmeter replay`: a tape through the pure core, without Kafka."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from botmeter.errors import ConfigurationError
from botmeter.replay.tape import Tape, output_line
from botmeter.settings.model import Settings


@click.command(name="replay", short_help="Run a tape through the rules, without Kafka.")
@click.argument("file", type=click.File("rb"))
@click.option("--only", metavar="TOPIC", help="Print this topic alone, such as botmeter.alerts or alerts.")
@click.pass_obj
def command(settings: Settings, file: BinaryIO, only: str | None) -> None:
    """Run the tape FILE (- for standard input) through the same rules as the worker and print what comes of it.

    A tape is NDJSON: one record a line, {"topic", "key", "timestamp", "value"}, or {"tick": "<timestamp>"} for the
    timer. The outputs are NDJSON too, {"topic", "key", "headers", "value"}, in the order in which the worker would
    produce them. Settings such as prices and limits are those of the worker (BOTMETER_*).
    """
    topics = settings.topics()
    wanted = None if only is None else _topic_named(only, [topic.name for topic in topics.all()], settings.topic_prefix)
    write = sys.stdout.buffer.write
    for output in Tape(topics, settings.rules(), settings.partitions).run(file):
        if wanted is None or output.topic == wanted:
            write(output_line(output))
    sys.stdout.buffer.flush()


def _topic_named(name: str, names: list[str], prefix: str) -> str:
    for candidate in (name, prefix + name):
        if candidate in names:
            return candidate
    raise ConfigurationError(f"no topic is named {name}; there are {', '.join(names)}")
