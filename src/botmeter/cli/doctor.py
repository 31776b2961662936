"""`botmeter doctor`: checks everything, and shows what to do about each problem."""

from __future__ import annotations

import json
import time
from typing import Final

import click

from botmeter.kafka import clients, questions
from botmeter.operations.checks_work import CheckContext
from botmeter.operations.doctor import examine
from botmeter.operations.findings import Finding, State
from botmeter.operations.permissions import PROGRAMS
from botmeter.settings.model import Settings

_COLOURS: Final[dict[State, str]] = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": "cyan"}
_EPILOG: Final = """\b
Examples:
  botmeter doctor
  botmeter doctor --json | jq 'select(.state == "problem")'
  botmeter doctor --strict || page-on-call
"""


@click.command(name="doctor", short_help="Check everything and show what to do.", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding and line.")
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings too.")
@click.option(
    "--listen",
    type=click.FloatRange(min=0),
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to listen for interactions, to compare the clocks.",
)
@click.option(
    "--permissions-of",
    "program",
    type=click.Choice(list(PROGRAMS)),
    default="worker",
    show_default=True,
    help="Whose permissions these credentials should have.",
)
@click.pass_obj
def command(settings: Settings, as_json: bool, strict: bool, listen: float, program: str) -> None:  # noqa: FBT001
    """Check settings, brokers, topics, permissions, rules, group, partitions, journal and more; say what to do.

    These too: transactions that hang, dead letters, clocks, disk.

    It only reads and queries: it writes no record and moves no offset. Where the brokers check permissions, it starts a
    session under the transactional id <BOTMETER_GROUP>-doctor, to see whether that is allowed. Run it with the settings
    and on the machine of a worker to see what the worker sees.

    Exit code 0: no problem; 1: some; 3: the broker cannot be reached.
    """
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(config, settings.broker_timeout_s, lambda line: click.echo(f"botmeter: {line}", err=True))
    states: list[State] = []
    with clients.make_admin(config) as admin:
        for finding in examine(CheckContext(admin, settings, time.time_ns() // 1_000_000, listen, program)):
            states.append(finding.state)
            _print(finding, as_json=as_json)
    problems, warnings = states.count("problem"), states.count("warning")
    if not as_json:
        click.echo(f"{problems} problems, {warnings} warnings, {states.count('unknown')} not checked")
    if problems or (strict and warnings):
        raise click.exceptions.Exit(1)


def _print(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(finding.as_fields()))
        return
    click.echo(f"{click.style(f'{finding.state:<8}', _COLOURS[finding.state])} {finding.check}: {finding.text}")
    if finding.remedy is not None:
        click.echo(f"{'':>9}{finding.remedy}")
