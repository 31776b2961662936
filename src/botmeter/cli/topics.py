"""`botmeter topics`: the topics of the contract on a cluster."""

from __future__ import annotations

from collections.abc import Iterable

import click

from botmeter.kafka.clients import admin_config, make_admin
from botmeter.kafka.questions import wait_for_broker
from botmeter.kafka.topic_setup import Finding, create_topics
from botmeter.settings.model import Settings


@click.group(name="topics")
def command() -> None:
    """The topics that botmeter reads and writes."""


@command.command()
@click.pass_obj
def create(settings: Settings) -> None:
    """Create the topics that are missing, and check those that exist.

    Says of each topic what differs from what botmeter needs and the command that mends it; an existing topic is never
    altered. Exit code 0: all is well; 1: something differs; 3: the broker cannot be reached or refuses.

    Names, number of partitions and replicas are settings: BOTMETER_TOPIC_PREFIX, BOTMETER_INTERACTIONS_TOPIC,
    BOTMETER_COMMANDS_TOPIC, BOTMETER_PARTITIONS, BOTMETER_REPLICATION_FACTOR.
    """
    config = admin_config(settings.kafka, settings.bootstrap_servers)
    wait_for_broker(config, settings.broker_timeout_s, lambda line: click.echo(f"botmeter: {line}", err=True))
    with make_admin(config) as admin:
        findings = create_topics(
            admin,
            settings.topics().all(),
            settings.partitions,
            settings.replication_factor,
        )
    for line in _lines(findings, settings.bootstrap_servers):
        click.echo(line)
    if not all(finding.is_well for finding in findings):
        raise click.exceptions.Exit(1)


def _lines(findings: Iterable[Finding], bootstrap_servers: str) -> Iterable[str]:
    """One line a topic, and under it what mends it."""
    found = list(findings)
    width = max(len(finding.topic) for finding in found)
    for finding in found:
        yield "  ".join([finding.topic.ljust(width), finding.state, "; ".join(map(str, finding.differences))]).rstrip()
        yield from differences([finding], bootstrap_servers)


def differences(findings: Iterable[Finding], bootstrap_servers: str) -> Iterable[str]:
    """What mends each difference, a line each."""
    for finding in findings:
        for difference in finding.differences:
            yield f"    {difference.remedy(bootstrap_servers)}"
