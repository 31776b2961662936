"""From the events of a batch to the rows they come to: what is counted is summed in memory first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve, evolve_over_gap
from botmeter.domain.events import Event
from botmeter.domain.naming import type_name
from botmeter.errors import BotmeterError, InvariantViolated
from botmeter.readside.loading import Values
from botmeter.readside.local_time import hour_and_day
from botmeter.readside.records import detail_of
from botmeter.readside.standing import Standing, account_no, state_of

Row = dict[str, Any]
#: account_no, start of the bucket, widget, bot, preview
_UsageKey = tuple[int, int, str, str, bool]

#: The counts of a cycle, all 0 until something is counted.
COUNTS: Final = (
    "opening", "renewed", "granted", "purchased", "credited", "sessions", "late_sessions", "forfeited", "expired",
    "previews", "handoffs", "amount_minor",
)  # fmt: skip


@dataclass(slots=True)
class Rows:
    """What a batch adds. Cycles and usage hold differences, to be added to what is there."""

    sessions: list[Values] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    handoffs: list[Row] = field(default_factory=list)
    hours: dict[_UsageKey, int] = field(default_factory=dict)
    days: dict[_UsageKey, int] = field(default_factory=dict)
    cycles: dict[tuple[int, int], Row] = field(default_factory=dict)
    touched: dict[str, Standing] = field(default_factory=dict)


class Gap(BotmeterError):  # noqa: N818 - by what there is
    """Events are missing before one of the journal, or a record is none. Recovery: mend that, or accept the loss."""

    def __init__(self, partition: int, offset: int, fault: str) -> None:
        """`fault`: what is wrong at this place, and what would mend it."""
        self.place = (partition, offset)
        super().__init__(
            f"journal, partition {partition}, offset {offset}: {fault}, run: "
            f"botmeter partition restore-from {partition} journal"
        )


def project(
    standings: dict[str, Standing], rows: Rows, partition: int, offset: int, event: Event, gaps_below: int
) -> None:
    """One event of the journal, read at `offset`: changes the account's standing and adds the rows.

    An event that the account has already is skipped: a broker that lost the end of a transaction can show it twice.
    Below the offset `gaps_below` people have accepted that events are lost: an account is as the others left it, and
    without its opening it is left out.

    Raises Gap where events are missing, InvariantViolated for one that cannot be.
    """
    standing = standings.get(event.account_id)
    before = None if standing is None else standing.account
    version = 0 if before is None else before.version
    if event.version <= version:
        return
    if event.version > version + 1 and offset >= gaps_below:
        raise Gap(
            partition,
            offset,
            f"events of {event.account_id} before its version {event.version} are missing; bring them back, or, "
            "if they are gone for good",
        )
    account = _evolved(before, event, offset, gaps_below)
    if account is None:
        return
    if standing is None:
        standing = standings[event.account_id] = _opened(partition, offset, event, account)
        _add_history(standing, None, rows, offset, event)
    elif type(event) is ev.SessionStarted:
        _project_session(standing, account, rows, offset, event)
    else:
        _project_other(standing, account, rows, offset, event)
    standing.updated_at, standing.journal_offset = event.at, offset
    rows.touched[event.account_id] = standing
    state = state_of(standing.account)
    if state != standing.state:
        standing.state, standing.state_since, standing.state_offset = state, event.at, offset
        standing.state_reason = _reason(event)


def _reason(event: Event) -> str:
    """Why the event changed the state, in a word."""
    match event:
        case ev.SessionsExhausted() | ev.SessionsAvailable():
            return event.reason
        case _:
            return type_name(type(event))


def _evolved(account: Account | None, event: Event, offset: int, gaps_below: int) -> Account | None:
    try:
        return evolve_over_gap(account, event) if offset < gaps_below else evolve(account, event)
    except ValueError as error:
        raise InvariantViolated(f"journal, offset {offset}: {error}") from error


def _opened(partition: int, offset: int, event: Event, account: Account) -> Standing:
    return Standing(
        account_no=account_no(partition, offset),
        partition=partition,
        account=account,
        opened_at=event.at,
        updated_at=event.at,
        journal_offset=offset,
        state="active",
        state_since=event.at,
        state_reason=type_name(type(event)),
        state_offset=offset,
        last_session_at=None,
        recent_weight=0.0,
    )


# --- Sessions --------------------------------------------------------------------------------------------------------


def _project_session(standing: Standing, account: Account, rows: Rows, offset: int, event: ev.SessionStarted) -> None:
    standing.count_session(event.at)
    standing.account = account
    past = account.past_cycle
    is_late = past is not None and event.cycle_number == past.number
    number, widget, bot_id, preview = standing.account_no, event.widget, event.bot_id, event.preview
    hour, day = hour_and_day(event.started_at, account.terms.time_zone)
    for usage, bucket in ((rows.hours, hour), (rows.days, day)):
        key = (number, bucket, widget, bot_id, preview)
        usage[key] = usage.get(key, 0) + 1
    cycle = _cycle(standing, rows, offset, event.cycle_number)
    cycle["sessions"] += 1
    cycle["late_sessions"] += is_late
    cycle["previews"] += preview
    cause: Any = event.cause
    rows.sessions.append(
        (  # in the order of the table's columns
            number,
            offset,
            event.version,
            event.at,
            bytes.fromhex(event.session_id),
            event.end_user_id,
            preview,
            event.started_at,
            event.cycle_number,
            event.pool,
            event.used,
            past.total if past is not None and is_late else account.allowance.total,
            bot_id,
            event.conversation_id,
            widget,
            cause.topic,
            cause.offset,
            cause.event_id,
        )
    )


# --- All else --------------------------------------------------------------------------------------------------------


def _project_other(standing: Standing, account: Account, rows: Rows, offset: int, event: Event) -> None:
    standing.fade(event.at)
    before, standing.account = standing.account, _without_commands(account)
    cycle = _cycle(standing, rows, offset, standing.account.cycle.number)
    if type(event) is ev.ChatHandedOff:
        cycle["handoffs"] += 1
        _add_handoff(standing, rows, offset, event)
        return
    _add_history(standing, before, rows, offset, event)
    match event:
        case ev.ComplimentaryGranted():
            cycle["granted"] += event.sessions
        case ev.ComplimentaryForfeited():
            cycle["forfeited"] += event.sessions
        case ev.SessionsCredited():
            cycle["credited"] += event.sessions
        case ev.PacksPurchased():
            cycle["purchased"] += event.sessions
            _add_charge(cycle, event.charge.amount_minor, event.charge.currency)
        case ev.CycleStarted():
            ended = _cycle(standing, rows, offset, before.cycle.number)
            ended["expired"] += event.expired
            cycle["opening" if event.pool == "complimentary" else "renewed"] += event.total - event.used
            if event.charge is not None:
                _add_charge(cycle, event.charge.amount_minor, event.charge.currency)
        case _:
            pass


def _without_commands(account: Account) -> Account:
    """Results of commands are rows of the history; in the account they would be read and written with every batch."""
    return replace(account, handled={}) if account.handled else account


def _cycle(standing: Standing, rows: Rows, offset: int, number: int) -> Row:
    """The differences of a cycle of the account: the current one, or the one before it."""
    key = (standing.account_no, number)
    row = rows.cycles.get(key)
    if row is None:
        account = standing.account
        current, past = account.cycle, account.past_cycle
        starts_at, ends_at = current.starts_at, current.ends_at
        if past is not None and number == past.number:
            starts_at, ends_at = past.starts_at, current.starts_at
        row = rows.cycles[key] = {
            "account_no": standing.account_no,
            "number": number,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "billing_cycle": account.terms.billing_cycle,
            "currency": None,
            **dict.fromkeys(COUNTS, 0),
        }
    row["journal_offset"] = offset
    return row


def _add_charge(cycle: Row, amount_minor: int, currency: str) -> None:
    cycle["amount_minor"] += amount_minor
    cycle["currency"] = currency


def _add_history(standing: Standing, before: Account | None, rows: Rows, offset: int, event: Event) -> None:
    account = standing.account
    allowance, cause = account.allowance, event.cause
    if before is None:
        _cycle(standing, rows, offset, account.cycle.number)
    charge = getattr(event, "charge", None)
    rows.history.append(
        {
            "account_no": standing.account_no,
            "journal_offset": offset,
            "version": event.version,
            "at": event.at,
            "type": type_name(type(event)),
            "cycle_number": account.cycle.number,
            "pool": allowance.pool,
            "total": allowance.total,
            "used": allowance.used,
            "moved": allowance.remaining - (before.allowance.remaining if before else 0),
            "packs": allowance.packs,
            "amount_minor": charge.amount_minor if charge else None,
            "currency": charge.currency if charge else None,
            "command_id": getattr(cause, "command_id", None),
            "issued_by": getattr(event, "issued_by", None),
            "cause_topic": getattr(cause, "topic", None),
            "cause_offset": getattr(cause, "offset", None),
            "cause_id": getattr(cause, "event_id", None),
            "before_offset": getattr(cause, "before_offset", None),
            "detail": detail_of(event),
        }
    )


def _add_handoff(standing: Standing, rows: Rows, offset: int, event: ev.ChatHandedOff) -> None:
    cause = event.cause
    rows.handoffs.append(
        {
            "account_no": standing.account_no,
            "journal_offset": offset,
            "version": event.version,
            "at": event.at,
            "handoff_id": event.handoff_id,
            "cycle_number": standing.account.cycle.number,
            "conversation_id": event.conversation_id,
            "end_user_id": event.end_user_id,
            "bot_id": event.bot_id,
            "reason": event.reason,
            "cause_topic": getattr(cause, "topic", None),
            "cause_offset": getattr(cause, "offset", None),
            "cause_id": getattr(cause, "event_id", None),
        }
    )
