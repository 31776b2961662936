"""Reads from the tables the inputs that a replay of past cycles needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from botmeter.contracts.encoding import decode_account
from botmeter.domain.account import Account, Allowance, Terms
from botmeter.domain.commands import (
    ChangePlan,
    Command,
    CreditSessions,
    PurchasePacks,
    SetAutoRecharge,
    SetThresholds,
)
from botmeter.domain.cycles import Cycle
from botmeter.domain.prices import PriceBook
from botmeter.domain.sessions import Interaction
from botmeter.domain.thresholds import reached_of
from botmeter.readside.queries.accounts import pack_of
from botmeter.readside.queries.from_rows import span_of
from botmeter.readside.queries.sessions import matching
from botmeter.readside.results import CycleSpan, Scenario, SessionFilter, WhatIf
from botmeter.readside.tables import Tables
from botmeter.readside.what_if import PastCommand, PastCycle, PastInteraction, PastOutcome, what_if

_fields: Final = msgspec.json.Decoder(dict[str, Any]).decode


def replay(
    connection: Connection, tables: Tables, account: Any, scenario: Scenario, cycles: int, prices: PriceBook, now: int
) -> WhatIf:
    """Replays the last cycles of an account under a scenario, at the price it paid last, else at `prices`."""
    price, pack_sessions = pack_of(connection, tables, account.account_no)
    if price is not None and pack_sessions is not None:
        prices = replace(
            prices,
            pack_sessions=pack_sessions,
            pack_price_minor=price.amount_minor,
            currency=price.currency,
        )
    table = tables.cycles
    newest = select(table).where(table.c.account_no == account.account_no).order_by(table.c.number.desc()).limit(cycles)
    rows = connection.execute(newest).all()
    return what_if(scenario, [_past_cycle(connection, tables, account, row) for row in reversed(rows)], prices, now)


def _past_cycle(connection: Connection, tables: Tables, account: Any, row: Any) -> PastCycle:
    span, history = span_of(row), tables.history
    events = connection.execute(
        select(history)
        .where(history.c.account_no == account.account_no, history.c.cycle_number == span.number)
        .order_by(history.c.journal_offset)
    ).all()
    start = _start(events)
    inputs: list[tuple[int, PastInteraction | PastCommand]] = [
        *_interactions(connection, tables, account, span),
        *_commands(events),
    ]
    ran_out = [event.at for event in events if event.type == "sessions_exhausted"]
    started_empty = start.total == start.used
    return PastCycle(
        span=span,
        account=_account(connection, tables, account, span, start),
        inputs=[each for _, each in sorted(inputs, key=lambda numbered: numbered[0])],
        was=PastOutcome(
            served=row.sessions,
            to_agents=row.handoffs,
            ran_out_at=span.starts_at if started_empty else min(ran_out, default=None),
            charge_minor=row.amount_minor,
        ),
    )


def _start(events: Sequence[Any]) -> Any:
    """The event after which the cycle has started. An account that is opened is granted sessions at once."""
    first = events[0]
    granted = [
        row
        for row in events[:2]
        if row.type == "complimentary_granted" and row.cause_offset == first.cause_offset and row.at == first.at
    ]
    return granted[0] if granted and first.type == "account_opened" else first


def _account(connection: Connection, tables: Tables, account: Any, span: CycleSpan, start: Any) -> Account:
    """The account at the cycle's start, with the parts on which decisions within a cycle depend."""
    current = decode_account(account.account.encode())
    allowance = Allowance(start.pool, start.total, start.used, start.packs, start.packs, ())
    terms = _terms(connection, tables, account, current.terms, start.journal_offset + 1)
    return replace(
        current,
        status="exhausted" if start.total == start.used else "active",
        cycle=Cycle(span.number, span.starts_at, span.ends_at),
        allowance=replace(allowance, reached=_reached(terms, start)),
        terms=terms,
    )


def _reached(terms: Terms, start: Any) -> tuple[int, ...]:
    """The thresholds that will not alert again: a complimentary pool keeps its usage across cycles (`A2`)."""
    return reached_of(terms.thresholds, start.used, start.total)


def _terms(connection: Connection, tables: Tables, account: Any, now: Terms, before: int) -> Terms:
    """The terms before an offset of the journal, with those that commands change and decisions depend on."""
    opened = _last_fields(connection, tables, account, "account_opened", account.journal_offset + 1)
    thresholds = _last_fields(connection, tables, account, "thresholds_set", before)
    recharge = _last_fields(connection, tables, account, "auto_recharge_set", before)
    plan = _last_fields(connection, tables, account, "plan_changed", before)
    granted = _last_fields(connection, tables, account, "complimentary_granted", before)
    return replace(
        now,
        thresholds=tuple(thresholds["percents"] if thresholds else opened["thresholds"] if opened else ()),
        recharge_below=recharge["below"] if recharge else 0,
        recharge_packs=recharge["packs"] if recharge else 0,
        plan=(plan or opened or {"plan": now.plan})["plan"],
        complimentary_granted=granted is not None,
    )


def _last_fields(
    connection: Connection, tables: Tables, account: Any, type_: str, before: int
) -> Mapping[str, Any] | None:
    """The fields of the last event of a type before an offset of the journal."""
    history = tables.history
    detail = connection.execute(
        select(history.c.detail)
        .where(
            history.c.account_no == account.account_no,
            history.c.type == type_,
            history.c.journal_offset < before,
        )
        .order_by(history.c.journal_offset.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if detail is None else _fields(detail)


def _interactions(
    connection: Connection, tables: Tables, account: Any, span: CycleSpan
) -> list[tuple[int, PastInteraction]]:
    """Sessions that were served, and chats that went to agents, each with its journal offset."""
    handoffs = tables.handoffs
    served = connection.execute(
        matching(connection, tables, account.account_no, SessionFilter(cycle_number=span.number))
    )
    handed_off = connection.execute(
        select(handoffs).where(handoffs.c.account_no == account.account_no, handoffs.c.cycle_number == span.number)
    )
    return [
        *(
            (
                row.journal_offset,
                PastInteraction(
                    row.at,
                    Interaction(
                        row.end_user_id, row.bot_id, row.conversation_id, row.widget, "end_user", row.preview,
                        row.started_at,
                    ),
                ),
            )
            for row in served
        ),
        *(
            (
                row.journal_offset,
                PastInteraction(
                    row.at,
                    Interaction(
                        row.end_user_id, row.bot_id, row.conversation_id, "conversations", "end_user",
                        preview=False, occurred_at=row.at,
                    ),
                    was_refused=True,
                ),
            )
            for row in handed_off
        ),
    ]  # fmt: skip


def _commands(events: Sequence[Any]) -> list[tuple[int, PastCommand]]:
    """The commands behind the events, each with its journal offset."""
    found = ((row.journal_offset, row.at, _command(row.type, _fields(row.detail))) for row in events)
    return [(offset, PastCommand(at, command)) for offset, at, command in found if command is not None]


def _command(type_: str, fields: Mapping[str, Any]) -> Command | None:
    """The command that led to an event; None for an event whose command a replay does not repeat."""
    head = ("what if", "what if")
    match type_:
        case "packs_purchased":
            return PurchasePacks(*head, fields["packs"]) if fields["trigger"] == "command" else None
        case "sessions_credited":
            return CreditSessions(*head, fields["sessions"], fields["reason"])
        case "plan_changed":
            return ChangePlan(*head, fields["plan"])
        case "thresholds_set":
            return SetThresholds(*head, tuple(fields["percents"]))
        case "auto_recharge_set":
            return SetAutoRecharge(*head, fields["below"], fields["packs"])
        case _:
            return None
