"""`botmeter topics`: the topics of the contract on a cluster."""

from __future__ import annotations

from collections.abc import Iterable

import click

from botmeter.kafka.clients import admin_config, make_admin
from botmeter.kafka.questions import wait_for_broker
from botmeter.kafka.topic_setup import Difference, Finding, check_topics, create_topics, fix_settings
from botmeter.settings.model import Settings


@click.group(name="topics")
def command() -> None:
    """The topics that botmeter reads and writes."""


@command.command()
@click.option("--fix", is_flag=True, help="Set what differs, except the number of partitions, after saying what.")
@click.pass_obj
def create(settings: Settings, fix: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Create the topics that are missing, and check those that exist.

    Prints for each topic what differs from what botmeter needs, and the command that fixes it. An existing topic is
    altered by --fix alone, which sets what differs and nothing else. It never makes a topic keep less than before, and
    never changes the number of partitions, because accounts would move between them.

    \b
      botmeter topics create          # create and check
      botmeter topics create --fix    # and set what differs

    Exit code 0: all is well; 1: something differs; 3: the broker cannot be reached or refuses.

    Names, number of partitions and replicas are settings: BOTMETER_TOPIC_PREFIX, BOTMETER_INTERACTIONS_TOPIC,
    BOTMETER_COMMANDS_TOPIC, BOTMETER_PARTITIONS, BOTMETER_REPLICATION_FACTOR.
    """  # noqa: D301 - click's mark of lines to be kept
    config = admin_config(settings.kafka, settings.bootstrap_servers)
    wait_for_broker(config, settings.broker_timeout_s, lambda line: click.echo(f"botmeter: {line}", err=True))
    topics = settings.topics().all()
    with make_admin(config) as admin:
        findings = create_topics(admin, topics, settings.partitions, settings.replication_factor)
        if fix:
            fix_settings(admin, _announced(findings))
            findings = check_topics(admin, topics, settings.partitions)
    for line in _lines(findings, settings.bootstrap_servers):
        click.echo(line)
    if not all(finding.is_ok for finding in findings):
        raise click.exceptions.Exit(1)


def _announced(findings: Iterable[Finding]) -> list[Difference]:
    """Returns the settings to fix, each printed before it is set."""
    found = [difference for finding in findings for difference in finding.differences if difference.can_be_fixed]
    for each in found:
        click.echo(f"setting {each.what} of {each.topic} to {each.wanted}, it is {each.found}", err=True)
    return found


def _lines(findings: Iterable[Finding], bootstrap_servers: str) -> Iterable[str]:
    """One line per topic, and below it the commands that fix it."""
    found = list(findings)
    width = max(len(finding.topic) for finding in found)
    for finding in found:
        yield "  ".join([finding.topic.ljust(width), finding.state, "; ".join(map(str, finding.differences))]).rstrip()
        yield from differences([finding], bootstrap_servers)


def differences(findings: Iterable[Finding], bootstrap_servers: str) -> Iterable[str]:
    """One line per difference: the command that fixes it."""
    for finding in findings:
        for difference in finding.differences:
            yield f"    {difference.remedy(bootstrap_servers)}"
