"""What all account commands share: the connection, the options, sending a command, and reporting its result."""

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

#: How often the progress of reading is shown.
_PROGRESS_S: Final = 0.5


class Issued(TypedDict):
    """The fields of every command beside the account."""

    issued_by: str
    command_id: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """How a command is sent and its result reported."""

    settings: Settings
    issued: Issued
    timeout_s: float
    is_json: bool
    may_spend: bool

    def connection(self) -> Connection:
        """Connects to the cluster, once it answers. Raises ClusterError."""
        return connected(self.settings)


def connected(settings: Settings) -> Connection:
    """Connects to the cluster of the settings, once it answers. Raises ClusterError."""
    # The clients recover from what they warn of; other errors are raised.
    logging.getLogger("botmeter.librdkafka").addHandler(logging.NullHandler())
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(config, settings.broker_timeout_s, _print)
    return Connection(settings.bootstrap_servers, settings.topics(), settings.kafka)


def with_request(function: Callable[Concatenate[Request, P], None]) -> Callable[..., None]:
    """Adds the options that all commands share, and passes them as the first argument, a Request."""

    @click.pass_obj
    @functools.wraps(function)
    def call(settings: Settings, /, **arguments: Any) -> None:
        issued = Issued(
            issued_by=arguments.pop("issued_by") or getpass.getuser(), command_id=arguments.pop("command_id")
        )
        own = {name: arguments.pop(name) for name in ("timeout_s", "is_json")}
        may_spend = arguments.pop("may_spend", False)
        function(Request(settings, issued, may_spend=may_spend, **own), **arguments)  # type: ignore[call-arg]

    with_options: Callable[..., None] = call
    for option in _OPTIONS:
        with_options = option(with_options)
    return with_options


#: In the reverse order of the help.
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
    click.option("--issued-by", metavar="NAME", help="Who issues it, for the audit. Default: your login."),
    click.option("--json", "is_json", is_flag=True, help="Print the result as JSON, as its topic has it."),
)
#: For commands that spend money or cannot be undone: they call `require_consent`.
yes_option: Final = click.option("--yes", "may_spend", is_flag=True, help="Do it without asking.")


def send_command(request: Request, command: IssuedMessage) -> None:
    """Sends the command and prints its result.

    Exit code 1 when it is refused. Raises NoResult, NotDelivered, ClusterError.
    """
    with Client(request.connection()) as client:
        result = client.send(command, request.timeout_s)
    _print_result(request, command, result)
    if isinstance(result, Rejected):
        raise click.exceptions.Exit(1)


def require_consent(request: Request, command: IssuedMessage) -> None:
    """Shows what the command will do and asks for consent, unless --yes was given. Raises ClusterError."""
    if request.may_spend:
        return
    standing = standing_of(request.connection(), command.account_id)
    _, wanted = decode_command(catalogue.COMMANDS.encode(command))
    for line in changes_of(standing.account, wanted, time.time_ns() // 1_000_000, request.settings.rules()):
        click.echo(line, err=True)
    if not sys.stdin.isatty():
        raise click.UsageError("it is done only when you agree: say --yes")
    click.confirm("Do it?", abort=True, err=True)


def standing_of(connection: Connection, account_id: str) -> Standing:
    """Returns the account's state. Exit code 1 with a line when there is no such account."""
    with AccountLog(connection, account_id, Progress()) as log:
        standing = log.standing()
    if standing is None:
        raise click.ClickException(f"there is no account {account_id}")
    return standing


def _print_result(request: Request, command: IssuedMessage, result: Result) -> None:
    if request.is_json:
        click.echo(catalogue.COMMAND_RESULTS.encode(result).decode())
    elif isinstance(result, Rejected):
        click.echo(f"refused ({result.reason}): {result.message}", err=True)
    else:
        with AccountLog(request.connection(), result.account_id) as log:
            balance = log.balance()
        usage = "" if balance is None else f": {balance.used:,} of {count(balance.total, 'session')} used"
        charged = f", charged {money(result.charge)}" if result.charge else ""
        click.echo(f"done, {result.account_id} is at version {result.version}{charged}{usage}")
        click.echo(f"command {command.command_id}", err=True)


class Progress:
    """Shows on a terminal how far reading is; the line is erased at the end."""

    def __init__(self) -> None:
        self._shown_at = time.monotonic()
        self._is_shown = False

    def __call__(self, topic: str, read_to: int, end: int) -> None:
        """Reports that `topic` is read up to `read_to` of `end`."""
        now = time.monotonic()
        if read_to >= end and self._is_shown:
            click.echo("\r\033[K", nl=False, err=True)
            self._is_shown = False
        elif read_to < end and sys.stderr.isatty() and now - self._shown_at > _PROGRESS_S:
            self._shown_at, self._is_shown = now, True
            click.echo(f"\rreading {topic}: {read_to:,} of {end:,}", nl=False, err=True)


def _print(line: str) -> None:
    click.echo(f"botmeter: {line}", err=True)
