"""`botmeter notify`: alerts to e-mail and webhooks."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from typing import Any, Final

import click

from botmeter.errors import ConfigurationError
from botmeter.kafka.clients import admin_config
from botmeter.kafka.questions import wait_for_broker
from botmeter.operations.permissions import require
from botmeter.settings.model import Settings
from botmeter.settings.page import describe
from botmeter.telemetry.logs import log_to_stderr
from botmeter.telemetry.serving import Page
from botmeter.telemetry.trace_export import traced

try:
    from botmeter.notify.listing import STATES, DeliveryFilter, find
    from botmeter.notify.service import Notifier
    from botmeter.notify.wiring import make_parts, open_outbox
except ModuleNotFoundError as missing:  # the extra is not installed
    raise ConfigurationError(
        f"`botmeter notify` needs {missing.name}: install botmeter with its extra, botmeter[notify]"
    ) from missing

log = logging.getLogger("botmeter")

_COLUMNS: Final = ("changed_at", "state", "account_id", "kind", "recipient", "attempts", "delivery_id")


@click.group(
    name="notify",
    invoke_without_command=True,
    short_help="Send alerts by e-mail and webhook.",
    epilog=f"\b\nSettings:\n{describe()}",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Send an account's alerts to its contacts by e-mail, and to endpoints by webhook, until stopped.

    Each notice is stored in a database before it is sent, so a crash loses nothing; one that may have been sent twice
    is marked. BOTMETER_NOTIFY_SMTP_HOST or BOTMETER_NOTIFY_WEBHOOKS must be set. Several notifiers may run at a time
    with one database. SIGTERM or Ctrl-C stops within 10 seconds.
    """
    if ctx.invoked_subcommand is None:
        _run(ctx.obj)


@command.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; may be repeated.")
@click.option("--account", default="", metavar="ID", help="Only those of this account.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the last answer or fault.")
@click.pass_obj
def list_(settings: Settings, states: tuple[str, ...], account: str, limit: int, as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Show deliveries, the newest change first: what was sent, what waits, what failed and why."""
    engine, _ = open_outbox(settings)
    found = find(engine, DeliveryFilter(states, account, limit=limit))
    if as_json:
        for each in found:
            click.echo(json.dumps(each, ensure_ascii=False))
        return
    for line in _table(found) if found else ["no deliveries"]:
        click.echo(line)


@command.command()
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY_ID]...")
@click.option("--state", "states", multiple=True, type=click.Choice(("failed", "skipped")), help="All in this state.")
@click.option("--account", default="", metavar="ID", help="With --state: only those of this account.")
@click.pass_obj
def resend(settings: Settings, delivery_ids: tuple[str, ...], states: tuple[str, ...], account: str) -> None:
    """Send deliveries again: those named, or all that failed or were skipped.

    A running notifier sends them at once. A mail that was sent before, or may have been, goes out with the same
    Message-ID and is marked maybe_twice. Exit code 1: none was found.
    """
    if bool(delivery_ids) == bool(states):
        raise click.UsageError("name deliveries, or say --state")
    engine, outbox = open_outbox(settings)
    found = find(engine, DeliveryFilter(states, account, delivery_ids, limit=100_000))
    queued = outbox.resend([each["delivery_id"] for each in found])
    click.echo(f"{queued} queued")
    if not queued:
        raise click.exceptions.Exit(1)


def _run(settings: Settings) -> None:
    log_to_stderr(settings.log_level, settings.log_format, "notify")
    stop, received = threading.Event(), []

    def receive(number: int, frame: object) -> None:
        del frame
        received.append(number)
        stop.set()

    # Until the notifier runs, SIGTERM ends the process at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    wait_for_broker(admin_config(settings.kafka, settings.bootstrap_servers), settings.broker_timeout_s, log.warning)
    require(settings, "notify")
    with traced(settings.traces, "notify") as spans:
        parts = make_parts(settings, spans)
        notifier = Notifier(parts)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, receive)
        with Page(parts.metrics.registry, settings.notify_port, "BOTMETER_NOTIFY_PORT", notifier.fault) as page:
            log.info("notifier runs; health and metrics at http://localhost:%d/health and /metrics", page.port)
            notifier.run(stop.wait)
    log.info("stopped")
    if signal.SIGINT in received:
        raise KeyboardInterrupt


def _table(found: list[dict[str, Any]]) -> list[str]:
    rows = [_COLUMNS, *(tuple(str(each[column]) for column in _COLUMNS) for each in found)]
    widths = [max(len(row[number]) for row in rows) for number in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for number, each in reversed(list(enumerate(found, start=1))):
        if each["reason"] and each["state"] not in ("sent", "maybe_twice"):
            lines.insert(number + 1, f"    {each['reason']}")
    return lines
