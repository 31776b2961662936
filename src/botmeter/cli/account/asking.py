"""What all account commands share: the cluster, the options, sending and waiting, and telling the result."""

from __future__ import annotations

import functools
import getpass
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, TypedDict

import click

from botmeter.cli.account.effect import changes_of
from botmeter.cli.account.words import count, money
from botmeter.client import Client, Connection, Rejected, Result
from botmeter.contracts import catalogue
from botmeter.contracts.decoding import decode_command
from botmeter.contracts.inputs import IssuedMessage
from botmeter.history.log import AccountLog, Standing
from botmeter.kafka import clients, questions
from botmeter.settings.model import Settings

P = ParamSpec("P")

#: So often reading on says how far it is.
_PROGRESS_S: Final = 0.5


class Issued(TypedDict):
    """What every command has beside the account."""

    issued_by: str
    command_id: str | None


@dataclass(frozen=True, slots=True)
class Asking:
    """How a command is sent and its result told."""

    settings: Settings
    issued: Issued
    timeout_s: float
    is_json: bool
    may_spend: bool

    def connection(self) -> Connection:
        """The cluster, once it answers. Raises ClusterError."""
        return connected(self.settings)


def connected(settings: Settings) -> Connection:
    """The cluster of the settings, once it answers. Raises ClusterError."""
    # What its clients warn of, they also mend; what they cannot mend is raised.
    logging.getLogger("botmeter.librdkafka").addHandler(logging.NullHandler())
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(config, settings.broker_timeout_s, _say)
    return Connection(settings.bootstrap_servers, settings.topics(), settings.kafka)


def asks(function: Callable[Concatenate[Asking, P], None]) -> Callable[..., None]:
    """Gives a command that changes an account the options they all have, as its first argument."""

    @click.pass_obj
    @functools.wraps(function)
    def call(settings: Settings, /, **arguments: Any) -> None:
        issued = Issued(
            issued_by=arguments.pop("issued_by") or getpass.getuser(), command_id=arguments.pop("command_id")
        )
        own = {name: arguments.pop(name) for name in ("timeout_s", "is_json")}
        may_spend = arguments.pop("may_spend", False)
        function(Asking(settings, issued, may_spend=may_spend, **own), **arguments)  # type: ignore[call-arg]

    with_options: Callable[..., None] = call
    for option in _OPTIONS:
        with_options = option(with_options)
    return with_options


#: In the reverse of the order in which they are shown.
_OPTIONS: Final = (
    click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for the result.",
    ),
    click.option("--command-id", metavar="ID", help="The same id again changes nothing. Default: a new one each time."),
    click.option("--issued-by", metavar="NAME", help="Who asks, for the audit. Default: your login."),
    click.option("--json", "is_json", is_flag=True, help="Print the result as JSON, as its topic has it."),
)
#: For commands that spend money or cannot be undone: they call `require_consent`.
yes_option: Final = click.option("--yes", "may_spend", is_flag=True, help="Do it without asking.")


def carry_out(ask: Asking, command: IssuedMessage) -> None:
    """Sends the command and tells what came of it.

    Exit code 1 when it is refused. Raises NoResult, NotDelivered, ClusterError.
    """
    with Client(ask.connection()) as client:
        result = client.send(command, ask.timeout_s)
    _tell(ask, command, result)
    if isinstance(result, Rejected):
        raise click.exceptions.Exit(1)


def require_consent(ask: Asking, command: IssuedMessage) -> None:
    """Says what the command will do and asks whether to do it, unless --yes said so. Raises ClusterError."""
    if ask.may_spend:
        return
    standing = standing_of(ask.connection(), command.account_id)
    _, wanted = decode_command(catalogue.COMMANDS.encode(command))
    for line in changes_of(standing.account, wanted, time.time_ns() // 1_000_000, ask.settings.rules()):
        click.echo(line, err=True)
    if not sys.stdin.isatty():
        raise click.UsageError("it is done only when you agree: say --yes")
    click.confirm("Do it?", abort=True, err=True)


def standing_of(connection: Connection, account_id: str) -> Standing:
    """How the account stands. Exit code 1 with a line when there is none."""
    with AccountLog(connection, account_id, Progress()) as log:
        standing = log.standing()
    if standing is None:
        raise click.ClickException(f"there is no account {account_id}")
    return standing


def _tell(ask: Asking, command: IssuedMessage, result: Result) -> None:
    if ask.is_json:
        click.echo(catalogue.COMMAND_RESULTS.encode(result).decode())
    elif isinstance(result, Rejected):
        click.echo(f"refused ({result.reason}): {result.message}", err=True)
    else:
        with AccountLog(ask.connection(), result.account_id) as log:
            balance = log.balance()
        usage = "" if balance is None else f": {balance.used:,} of {count(balance.total, 'session')} used"
        charged = f", charged {money(result.charge)}" if result.charge else ""
        click.echo(f"done, {result.account_id} is at version {result.version}{charged}{usage}")
        click.echo(f"command {command.command_id}", err=True)


class Progress:
    """A line that says how far reading is, on a terminal; gone when it is at the end."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()
        self._is_shown = False

    def __call__(self, topic: str, read_to: int, end: int) -> None:
        """Reading `topic` is at `read_to` of `end`."""
        now = time.monotonic()
        if read_to >= end and self._is_shown:
            click.echo("\r\033[K", nl=False, err=True)
            self._is_shown = False
        elif read_to < end and sys.stderr.isatty() and now - self._told_at > _PROGRESS_S:
            self._told_at, self._is_shown = now, True
            click.echo(f"\rreading {topic}: {read_to:,} of {end:,}", nl=False, err=True)


def _say(line: str) -> None:
    click.echo(f"botmeter: {line}", err=True)
