"""`botmeter rules`: shows the rules in force, and changes them for all workers at once."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import click

from botmeter.contracts import catalogue
from botmeter.contracts.instants import rfc3339
from botmeter.contracts.rules import RulesHistory, RulesSet, as_settings, differences
from botmeter.domain.sessions import memory_ms
from botmeter.kafka import clients, questions
from botmeter.kafka.topic_setup import require_topics
from botmeter.operations.rules import RulesDesk
from botmeter.settings.model import Settings


@click.group(name="rules", short_help="Show the rules in force, or change them for all workers.")
def command() -> None:
    """The rules in force: limits, prices, pack size, complimentary sessions, default thresholds, exhaustion.

    The first worker records its settings as the rules. From then on a worker whose settings differ does not start, and
    reports what differs: a change of what accounts are charged is made explicitly, for all workers at once, and
    `botmeter verify` recomputes each part of the log by the rules of its time.
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="The messages of the log as JSON, one a line.")
@click.pass_obj
def show(settings: Settings, as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Show the rules in force, all past changes, and where these settings differ.

    Exit code 0: these settings are the rules in force, or none are recorded yet; 1: they differ.
    """
    with _desk(settings) as desk:
        history = desk.history()
    if as_json:
        for message in history.messages:
            click.echo(catalogue.RULES.encode(message))
    else:
        for line in _lines(history, settings):
            click.echo(line)
    if differences(history.now, settings.rules()):
        raise click.exceptions.Exit(1)


@command.command(name="set")
@click.option("--yes", is_flag=True, help="Do it; without it, only show what it would do.")
@click.option("--by", metavar="NAME", help="Who does it, for the log. Default: your login.")
@click.option("--reason", metavar="TEXT", help="Why, for the log.")
@click.pass_obj
def set_rules(settings: Settings, yes: bool, by: str | None, reason: str | None) -> None:  # noqa: FBT001
    """Make these settings (BOTMETER_*) the rules in force, from the present offsets of each partition on.

    No worker may run meanwhile. Past decisions stay as they are: prices and pack sizes apply to packs that are bought
    or renewed from then on, limits to interactions that are processed from then on.

    \b
      botmeter rules show                             # what is in force
      BOTMETER_LATE_LIMIT_S=259200 botmeter rules set # what would change, and what it costs
      BOTMETER_LATE_LIMIT_S=259200 botmeter rules set --yes --reason "outage of 22 November"

    Then start the workers with the same settings.
    """  # noqa: D301 - click's mark of lines to be kept
    with _desk(settings) as desk:
        history = desk.history()
        if history.messages and not differences(history.now, settings.rules()):
            click.echo("These settings are the rules in force; there is nothing to change.")
            return
        for line in _plan(history, settings):
            click.echo(line)
        if not yes:
            click.echo("Nothing was changed: --yes does it, once no worker runs.")
            return
        desk.require_no_worker()
        message = desk.change(by or getpass.getuser(), reason)
    click.echo(f"Rules number {message.number} are in force. Start all workers with these settings.")


@contextmanager
def _desk(settings: Settings) -> Iterator[RulesDesk]:
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(config, settings.broker_timeout_s, lambda line: click.echo(f"botmeter: {line}", err=True))
    with clients.make_admin(config) as admin:
        require_topics(admin, settings.topics().all(), settings.partitions)
        yield RulesDesk(settings, admin)


def _lines(history: RulesHistory, settings: Settings) -> Iterator[str]:
    if not history.messages:
        yield "No rules are recorded yet: the first worker records its settings. These settings are:"
    for name, value in as_settings(history.now).items():
        yield f"  BOTMETER_{name.upper():<24}{value}"
    before = None
    for message in history.messages:
        yield _describe(message)
        if before is not None:
            yield from (
                f"    {name}: {old} -> {new}" for name, (old, new) in differences(before, message.rules).items()
            )
        before = message.rules
    for name, (there, here) in differences(history.now, settings.rules()).items():
        yield f"{name} is {here} here: a worker with these settings would not start (in force is {there})"


def _describe(message: RulesSet) -> str:
    since = "from the beginning" if not message.taken else f"from {rfc3339(message.at)} on"
    reason = f": {message.reason}" if message.reason else ""
    return f"number {message.number}, {since}, by {message.by}{reason}"


def _plan(history: RulesHistory, settings: Settings) -> Iterator[str]:
    rules = settings.rules()
    if not history.messages:
        yield "No rules are recorded yet; these settings would be, from the beginning of the log."
        return
    yield "From where each partition stands:"
    for name, (old, new) in differences(history.now, rules).items():
        yield f"  {name}: {old} -> {new}"
    if rules.pseudonyms != history.now.pseudonyms:
        yield (
            "End-users get other pseudonyms from then on: an end-user with an open session opens another one with the "
            "next chat, and the account is charged for it. Existing records keep their pseudonyms; verifying them "
            "needs the old key."
        )
    if memory_ms(rules) > memory_ms(history.now):
        yield (
            "Session starts are remembered for longer: each worker restores its partitions cold once, from snapshots "
            "and journal."
        )
