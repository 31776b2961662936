"""`botmeter simulate`: realistic traffic for a cluster."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Final

import click

from botmeter.domain.prices import DAY_MS
from botmeter.errors import ConfigurationError
from botmeter.kafka import clients, questions
from botmeter.kafka.topic_setup import require_topics
from botmeter.settings.model import Settings
from botmeter.simulation.accounts import population
from botmeter.simulation.interruption import watched_for_interruption
from botmeter.simulation.other_accounts import first_other_account
from botmeter.simulation.pace import Pace
from botmeter.simulation.publisher import Publisher, publish_traffic
from botmeter.simulation.traffic import Mix, Traffic

_DAY_S: Final = 86_400


@click.command(name="simulate", short_help="Publish realistic traffic to a cluster.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1000,
    show_default=True,
    help="Interactions a second, the mean over a day.",
)
@click.option("--duration", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after this long.")
@click.option("--count", type=click.IntRange(min=0), help="Stop after so many records.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same traffic.")
@click.option(
    "--accounts",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="Number of accounts, of every plan, a few large and many small.",
)
@click.option(
    "--bad-share",
    type=click.FloatRange(0, 0.5),
    default=0.01,
    show_default=True,
    help="Share of bad records, which become dead letters.",
)
@click.option(
    "--day",
    "day_length_s",
    type=click.FloatRange(min=0),
    default=_DAY_S,
    show_default=True,
    metavar="SECONDS",
    help="Length of a simulated day; the rate varies with its hours. 0: a steady rate.",
)
@click.option(
    "--start",
    type=click.DateTime(["%H:%M"]),
    metavar="HH:MM",
    help="Time of the simulated day to begin at, UTC. Default: now.",
)
@click.option(
    "--among-others",
    is_flag=True,
    help="Publish even if the journal holds accounts that no simulation opened; do not check it.",
)
@click.pass_obj
def command(
    settings: Settings,
    rate: float,
    duration: float | None,
    count: int | None,
    seed: int,
    accounts: int,
    bad_share: float,
    day_length_s: float,
    start: datetime | None,
    among_others: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """Publish realistic traffic to the cluster until Ctrl-C.

    Accounts of every plan are opened; then come chats with bots and with agents, new and returning end-users, previews,
    duplicates, late and bad records, and now and then a command. The same run again opens, buys and counts nothing
    twice.

    Accounts cannot be deleted, and their usage is charged. So a cluster whose journal holds accounts that no simulation
    opened is refused, unless --among-others is given.

    Cluster and topics are settings (BOTMETER_BOOTSTRAP_SERVERS, ...); the topics must be there: botmeter topics create.
    Exit code 1: some records were not delivered; 2: the cluster holds accounts of others.
    """
    _require_cluster(settings)
    if not among_others:
        _refuse_accounts_of_others(settings)
    traffic = Traffic(seed, population(accounts), settings.topics(), settings.partitions, Mix(bad_share=bad_share))
    pace = Pace(traffic, rate, _day_begins_ms(start), day_length_s or None)
    publisher = Publisher(clients.simple_producer_config(settings.kafka, settings.bootstrap_servers))
    begun = time.monotonic()
    with watched_for_interruption() as interruption:
        publisher.publish(traffic.opening())
        publish_traffic(
            publisher,
            traffic,
            pace,
            count=float("inf") if count is None else count,
            duration_s=float("inf") if duration is None else duration,
            interruption=interruption,
            report=_Progress(publisher),
        )
        publisher.flush()
        publisher.close()
        _summarize(publisher, time.monotonic() - begun)
    if interruption.has_come:
        raise click.Abort
    if publisher.failed:
        raise click.exceptions.Exit(1)


def _require_cluster(settings: Settings) -> None:
    """Waits for the broker and checks the topics."""
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(config, settings.broker_timeout_s, _print)
    topics = settings.topics()
    with clients.make_admin(config) as admin:
        require_topics(admin, (topics.interactions, topics.commands, topics.journal), settings.partitions)


def _refuse_accounts_of_others(settings: Settings) -> None:
    journal = settings.topics().journal
    other = first_other_account(
        clients.admin_config(settings.kafka, settings.bootstrap_servers),
        clients.reader_config(settings.kafka, settings.bootstrap_servers, settings.group),
        journal,
        settings.partitions,
        _print,
    )
    if other is not None:
        raise ConfigurationError(
            f"{journal.name} at {settings.bootstrap_servers} holds the account {other!r}, which no simulation opened; "
            "simulate on a cluster or with topics of its own (BOTMETER_BOOTSTRAP_SERVERS, BOTMETER_TOPIC_PREFIX, "
            "BOTMETER_INTERACTIONS_TOPIC, BOTMETER_COMMANDS_TOPIC), or say --among-others if that is meant"
        )


def _print(line: str) -> None:
    click.echo(f"botmeter: {line}", err=True)


def _day_begins_ms(start: datetime | None) -> int:
    """Returns the moment of today at which the simulated day begins, UTC ms."""
    now_ms = time.time_ns() // 1_000_000
    if start is None:
        return now_ms
    since_midnight = timedelta(hours=start.hour, minutes=start.minute)
    return now_ms - now_ms % DAY_MS + since_midnight // timedelta(milliseconds=1)


class _Progress:
    """Prints a line whenever it is called."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._before = (0.0, publisher.sent.total())

    def __call__(self, elapsed_s: float, rate: float) -> None:
        before_s, before = self._before
        sent = self._publisher.sent.total()
        self._before = (elapsed_s, sent)
        achieved = (sent - before) / (elapsed_s - before_s)
        failed = f", {self._publisher.failed.total():,} not delivered" if self._publisher.failed else ""
        click.echo(f"{elapsed_s:6.0f} s  {sent:>12,} sent  {achieved:>9,.0f}/s of {rate:,.0f}/s{failed}", err=True)


def _summarize(publisher: Publisher, seconds: float) -> None:
    """Prints what was sent, by kind, and what was not delivered, by reason."""
    total = publisher.sent.total()
    click.echo(f"{total:,} records in {seconds:.1f} s, {total / max(seconds, 0.001):,.0f}/s")
    for kind, count in publisher.sent.most_common():
        click.echo(f"  {count:>12,}  {kind}")
    for reason, count in publisher.failed.most_common():
        click.echo(f"  {count:>12,}  NOT DELIVERED: {reason}")
