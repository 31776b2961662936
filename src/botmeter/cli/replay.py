"""`botmeter replay`: a tape through the pure core, without Kafka."""

from __future__ import annotations

import secrets
import sys
from typing import BinaryIO

import click

from botmeter.errors import ConfigurationError
from botmeter.replay.tape import Tape, output_line
from botmeter.settings.model import Settings


@click.command(name="replay", short_help="Run a tape through the rules, without Kafka.")
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--only", metavar="TOPIC", help="Print only this topic, such as botmeter.alerts or alerts.")
@click.option("--from-cluster", "account_id", metavar="ACCOUNT", help="Write a tape of this account instead.")
@click.option(
    "--pseudonymous", is_flag=True, help="With --from-cluster: keyed hashes for end-users, conversations and contacts."
)
@click.option(
    "--pseudonym-key",
    metavar="TEXT",
    help="Key of the hashes, to get the same ones again. Default: a new random one that is not stored.",
)
@click.pass_obj
def command(
    settings: Settings,
    file: BinaryIO | None,
    only: str | None,
    account_id: str | None,
    pseudonymous: bool,  # noqa: FBT001 - a flag of the command line
    pseudonym_key: str | None,
) -> None:
    """Run the tape FILE (- for standard input) through the same rules as the worker and print the outputs.

    A tape is NDJSON: one record per line, {"topic", "key", "timestamp", "value"}, or {"tick": "<timestamp>"} for the
    timer. A record with "skipped": "<why>" becomes a dead letter, as one that an operator had skipped. The outputs are
    NDJSON too, {"topic", "key", "headers", "value"}, in the order in which the worker would produce them. Prices and
    limits are the settings (BOTMETER_*), until a line {"rules": {...}} sets others, in the form of the messages of the
    topic botmeter.rules.

    With --from-cluster it writes a tape: the account's inputs (deleted ones are rebuilt from its journal), the skips,
    and the rules of each time. It then runs the tape itself and prints whether it leads to the same journal; exit code
    1 when not.

    \b
      botmeter replay --from-cluster acme --pseudonymous > acme.ndjson
      botmeter replay acme.ndjson --only alerts
    """  # noqa: D301 - click's mark of lines to be kept
    if (file is None) == (account_id is None):
        raise click.UsageError("say either FILE or --from-cluster ACCOUNT")
    if account_id is not None:
        from botmeter.cli.tape import write_tape  # noqa: PLC0415 - a tape is run without Kafka

        key = (pseudonym_key or secrets.token_hex()).encode() if pseudonymous or pseudonym_key else None
        write_tape(settings, account_id, key)
    elif file is not None:
        _run(settings, file, only)


def _run(settings: Settings, file: BinaryIO, only: str | None) -> None:
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
