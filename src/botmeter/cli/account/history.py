"""`botmeter account statement | explain`: statements and explanations from an account's journal."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Final

import click
import msgspec

from botmeter.cli.account.request import Progress, connected
from botmeter.cli.account.words import count, exact, moment, money, table
from botmeter.contracts import catalogue
from botmeter.contracts.instants import rfc3339
from botmeter.domain import events as ev
from botmeter.domain.events import Event
from botmeter.history.explanation import Explained, Explanation, Usage, explanations
from botmeter.history.log import AccountLog
from botmeter.history.statement import ChargeLine, Statement, statements
from botmeter.settings.model import Settings

_TRIGGERS: Final = {"command": "bought", "auto_recharge": "auto-recharge", "renewal": "renewed"}


@click.command(short_help="A billing cycle in sessions and money.")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--cycle", type=click.IntRange(min=1), help="Its number. Default: the running one.")
@click.option("--all", "is_all", is_flag=True, help="Every cycle, the oldest first.")
@click.option("--json", "is_json", is_flag=True, help="Print each as JSON, one a line.")
@click.pass_obj
def statement(settings: Settings, account_id: str, cycle: int | None, is_all: bool, is_json: bool) -> None:  # noqa: FBT001 - flags of the command line
    """Print the statement of a billing cycle of ACCOUNT: where its sessions came from and went, and what was charged.

    Reads the account's journal from its beginning, and shows its progress.

    \b
      botmeter account statement acme
      botmeter account statement acme --cycle 2 --json
    """  # noqa: D301 - click's mark of lines to be kept
    if is_all and cycle is not None:
        raise click.UsageError("say either --cycle or --all")
    zone, events = _journal(settings, account_id)
    found = statements(events)
    chosen = found if is_all else [one for one in found if one.number == (cycle or len(found))]
    if not chosen:
        raise click.ClickException(f"{account_id} has no cycle {cycle}; the running one is {len(found)}")
    write = _json_of if is_json else partial(_in_words, running=found[-1], zone=zone)
    click.echo(("\n" if is_json else "\n\n").join(map(write, chosen)))


def _journal(settings: Settings, account_id: str) -> tuple[str, list[Event]]:
    """Returns the account's time zone and its whole journal. Exit code 1 with a line when there is no account."""
    with AccountLog(connected(settings), account_id, Progress()) as log:
        events = list(log.events())
    if not events or not isinstance(events[0], ev.AccountOpened):
        raise click.ClickException(f"there is no account {account_id}")
    return events[0].time_zone, events


def _in_words(one: Statement, running: Statement, zone: str) -> str:
    is_running = one is running
    ends = moment(one.ends_at, zone)
    state = ", running" if is_running else ""
    head = f"{one.account_id}, cycle {one.number}: {moment(one.starts_at, zone)} to {ends}{state}"
    late = f", {one.late_sessions:,} of them late" if one.late_sessions else ""
    previews = f" ({one.previews:,} previews{late})" if one.previews or late else ""
    lines = [
        ("left by the cycle before", one.opening, "+"),
        ("renewed", one.renewed, "+"),
        ("complimentary", one.granted, "+"),
        ("bought", one.purchased, "+"),
        ("credited", one.credited, "+"),
        (f"sessions started{previews}", one.sessions, "-"),
        ("forfeited", one.forfeited, "-"),
        ("expired", one.expired, "-"),
    ]
    shown = [(text, f"{sign}{number:,}") for text, number, sign in lines if number]
    shown.append(("left now" if is_running else "left to the next cycle", f"{one.remaining:,}"))
    body = table(("sessions", ""), [*shown], frozenset({1}))
    charges = [
        (moment(line.at, zone), _TRIGGERS[line.trigger], count(line.packs, "pack"), money(line.charge))
        for line in one.charges
    ]
    charged = table(("charges", "", "", ""), [*charges, ("total", "", "", money(one.total_charge))], frozenset({3}))
    handoffs = f"\n{count(one.handoffs, 'chat')} went to the agents." if one.handoffs else ""
    return f"{head}\n\n{body}\n\n{charged}{handoffs}\ndigest {one.digest}"


def _json_of(one: Statement) -> str:
    fields = {name: getattr(one, name) for name in Statement.__dataclass_fields__}
    changed = {
        "starts_at": rfc3339(one.starts_at),
        "ends_at": rfc3339(one.ends_at),
        "remaining": one.remaining,
        "charges": [_charge_json(line) for line in one.charges],
        "charge": one.total_charge,
        "digest": one.digest,
    }
    return msgspec.json.encode(fields | changed).decode()


def _charge_json(line: ChargeLine) -> dict[str, Any]:
    fields = {name: getattr(line, name) for name in ChargeLine.__dataclass_fields__}
    return fields | {"at": rfc3339(line.at)}


@click.command(short_help="Why a session was charged, or a chat went to the agents.")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--session", "session_id", metavar="ID", help="The session with this id.")
@click.option("--end-user", metavar="ID", help="Sessions and handoffs of this end-user.")
@click.option("--conversation", metavar="ID", help="Sessions and handoffs of this conversation.")
@click.option("--event", "event_id", metavar="ID", help="The effects of the interaction with this event_id.")
@click.option(
    "--last", type=click.IntRange(min=1), default=10, show_default=True, help="The latest, at most this many."
)
@click.option("--json", "is_json", is_flag=True, help="Print each as JSON, one a line.")
@click.pass_obj
def explain(settings: Settings, /, account_id: str, last: int, is_json: bool, **named: str | None) -> None:  # noqa: FBT001 - a flag of the command line
    """Explain why sessions of ACCOUNT were charged, and why chats went to the agents.

    Names the interaction by topic, partition and offset, the 24 hours it opened, the pool and pack it was taken from,
    and the balance before and after.

    \b
      botmeter account explain acme --end-user u-17
      botmeter account explain acme --conversation c-4711
    """  # noqa: D301 - as above
    if not any(named.values()):
        raise click.UsageError("say which: --session, --end-user, --conversation or --event")
    zone, events = _journal(settings, account_id)
    found = deque(explanations(events, lambda event: _is_named(event, named)), maxlen=last)
    if not found:
        raise click.ClickException("no session was charged and no chat handed off by that name")
    write = _explanation_json if is_json else partial(_explained_in_words, zone=zone)
    click.echo(("\n" if is_json else "\n\n").join(map(write, found)))


def _is_named(event: Explained, named: dict[str, str | None]) -> bool:
    cause = event.cause
    known = {
        "session_id": event.session_id if isinstance(event, ev.SessionStarted) else None,
        "end_user": event.end_user_id,
        "conversation": event.conversation_id,
        "event_id": cause.event_id if isinstance(cause, ev.InteractionCause) else None,
    }
    return all(known[name] == wanted for name, wanted in named.items() if wanted is not None)


def _explained_in_words(one: Explanation, zone: str) -> str:
    event = one.event
    lines = [
        *(_of_session(one, event, zone) if isinstance(event, ev.SessionStarted) else _of_handoff(one, event, zone)),
        f"interaction  {_cause(event)}",
        f"end-user     {event.end_user_id}, conversation {event.conversation_id}, bot {event.bot_id}",
        f"cycle        {one.cycle.number}, {moment(one.cycle.starts_at, zone)} to {moment(one.cycle.ends_at, zone)}",
        *(f"led to       {_led_to(other)}" for other in one.led_to),
    ]
    return "\n  ".join(lines)


def _of_session(one: Explanation, event: ev.SessionStarted, zone: str) -> list[str]:
    kind = "preview session" if event.preview else "session"
    late = "; it came after the cycle's end and was taken from what would have expired" if one.is_late else ""
    pack = "" if one.pack_number is None else f", pack {one.pack_number}"
    previous = one.previous
    reason = (
        "the first of this end-user"
        if previous is None
        else f"the one before began {exact(previous.started_at, zone)}, and its 24 hours do not cover this one"
    )
    return [
        f"{exact(event.at, zone)}: one {kind} was charged (version {event.version}){late}",
        f"session      {event.session_id}",
        f"24 hours     {exact(event.started_at, zone)} to {exact(event.ends_at, zone)}; {reason}",
        f"taken from   the {event.pool} pool{pack}: {_usage(one.before)} before, {_usage(one.after)} after",
    ]


def _of_handoff(one: Explanation, event: ev.ChatHandedOff, zone: str) -> list[str]:
    why = "all sessions were used" if event.reason == "sessions_exhausted" else "the account has no sessions"
    return [
        f"{exact(event.at, zone)}: the chat went to the agents (version {event.version}), because {why}",
        f"pool         {one.before.pool}: {_usage(one.before)}",
    ]


def _usage(usage: Usage) -> str:
    return f"{usage.used:,} of {usage.total:,} used"


def _cause(event: Explained) -> str:
    cause = event.cause
    if not isinstance(cause, ev.InteractionCause):
        return "none"
    return f"{cause.topic}/{cause.partition}/{cause.offset} (event {cause.event_id})"


def _led_to(event: Event) -> str:
    match event:
        case ev.ThresholdReached():
            return f"the alert at {event.percent} %"
        case ev.SessionsExhausted():
            return "exhaustion: from here on new chats go to the agents"
        case ev.PacksPurchased():
            return f"auto-recharge: {count(event.packs, 'pack')} for {money(event.charge)}"
        case _:
            return type(event).__name__


def _explanation_json(one: Explanation) -> str:
    document = {
        "event": msgspec.Raw(catalogue.JOURNAL.encode(one.event)),
        "cycle": {
            "number": one.cycle.number,
            "starts_at": rfc3339(one.cycle.starts_at),
            "ends_at": rfc3339(one.cycle.ends_at),
        },
        "before": one.before,
        "after": one.after,
        "is_late": one.is_late,
        "pack_number": one.pack_number,
        "previous": None if one.previous is None else msgspec.Raw(catalogue.JOURNAL.encode(one.previous)),
        "led_to": [msgspec.Raw(catalogue.JOURNAL.encode(event)) for event in one.led_to],
    }
    return msgspec.json.encode(document).decode()


COMMANDS: Final = (statement, explain)
