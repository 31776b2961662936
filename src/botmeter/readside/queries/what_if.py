"""What the replay of past cycles needs, from the tables."""

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
from botmeter.readside.queries.found import span_of
from botmeter.readside.queries.sessions import matching
from botmeter.readside.results import CycleSpan, Scenario, SessionFilter, WhatIf
from botmeter.readside.tables import Tables
from botmeter.readside.what_if import Asked, Commanded, PastCycle, WasSo, what_if

_fields: Final = msgspec.json.Decoder(dict[str, Any]).decode


def replayed(
    connection: Connection, tables: Tables, account: Any, scenario: Scenario, cycles: int, prices: PriceBook, now: int
) -> WhatIf:
    """The last cycles of an account under a scenario; at the price it paid last, else at `prices`."""
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
    return what_if(scenario, [_cycle(connection, tables, account, row) for row in reversed(rows)], prices, now)


def _cycle(connection: Connection, tables: Tables, account: Any, row: Any) -> PastCycle:
    span, history = span_of(row), tables.history
    happened = connection.execute(
        select(history)
        .where(history.c.account_no == account.account_no, history.c.cycle_number == span.number)
        .order_by(history.c.journal_offset)
    ).all()
    begun = _begun(happened)
    inputs: list[tuple[int, Asked | Commanded]] = [*_asked(connection, tables, account, span), *_commanded(happened)]
    ran_out = [each.at for each in happened if each.type == "sessions_exhausted"]
    started_empty = begun.total == begun.used
    return PastCycle(
        span=span,
        account=_account(connection, tables, account, span, begun),
        inputs=[each for _, each in sorted(inputs, key=lambda numbered: numbered[0])],
        was=WasSo(
            served=row.sessions,
            to_agents=row.handoffs,
            ran_out_at=span.starts_at if started_empty else min(ran_out, default=None),
            charge_minor=row.amount_minor,
        ),
    )


def _begun(happened: Sequence[Any]) -> Any:
    """The event after which the cycle stands at its beginning; opened, an account is granted sessions at once."""
    first = happened[0]
    granted = [
        row
        for row in happened[:2]
        if row.type == "complimentary_granted" and row.cause_offset == first.cause_offset and row.at == first.at
    ]
    return granted[0] if granted and first.type == "account_opened" else first


def _account(connection: Connection, tables: Tables, account: Any, span: CycleSpan, begun: Any) -> Account:
    """The account as it was at the cycle's beginning, as far as decisions within a cycle depend on it."""
    known = decode_account(account.account.encode())
    allowance = Allowance(begun.pool, begun.total, begun.used, begun.packs, begun.packs, ())
    terms = _terms(connection, tables, account, known.terms, begun.journal_offset + 1)
    return replace(
        known,
        status="exhausted" if begun.total == begun.used else "active",
        cycle=Cycle(span.number, span.starts_at, span.ends_at),
        allowance=replace(allowance, reached=_reached(terms, begun)),
        terms=terms,
    )


def _reached(terms: Terms, begun: Any) -> tuple[int, ...]:
    """The thresholds that will not alert again: a complimentary pool passes the boundary with its usage (`A2`)."""
    return reached_of(terms.thresholds, begun.used, begun.total)


def _terms(connection: Connection, tables: Tables, account: Any, now: Terms, before: int) -> Terms:
    """The terms as they were before an offset of the journal, as far as commands change what follows from them."""
    opened = _last(connection, tables, account, "account_opened", account.journal_offset + 1)
    thresholds = _last(connection, tables, account, "thresholds_set", before)
    recharge = _last(connection, tables, account, "auto_recharge_set", before)
    plan = _last(connection, tables, account, "plan_changed", before)
    granted = _last(connection, tables, account, "complimentary_granted", before)
    return replace(
        now,
        thresholds=tuple(thresholds["percents"] if thresholds else opened["thresholds"] if opened else ()),
        recharge_below=recharge["below"] if recharge else 0,
        recharge_packs=recharge["packs"] if recharge else 0,
        plan=(plan or opened or {"plan": now.plan})["plan"],
        complimentary_granted=granted is not None,
    )


def _last(connection: Connection, tables: Tables, account: Any, type_: str, before: int) -> Mapping[str, Any] | None:
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


def _asked(connection: Connection, tables: Tables, account: Any, span: CycleSpan) -> list[tuple[int, Asked]]:
    """Sessions that were served, and chats that went to agents, each with its place in the journal."""
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
                Asked(
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
                Asked(
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


def _commanded(happened: Sequence[Any]) -> list[tuple[int, Commanded]]:
    found = ((row.journal_offset, row.at, _command(row.type, _fields(row.detail))) for row in happened)
    return [(offset, Commanded(at, command)) for offset, at, command in found if command is not None]


def _command(type_: str, told: Mapping[str, Any]) -> Command | None:
    """The command that led to an event, of those that a replay gives again."""
    head = ("what if", "what if")
    match type_:
        case "packs_purchased":
            return PurchasePacks(*head, told["packs"]) if told["trigger"] == "command" else None
        case "sessions_credited":
            return CreditSessions(*head, told["sessions"], told["reason"])
        case "plan_changed":
            return ChangePlan(*head, told["plan"])
        case "thresholds_set":
            return SetThresholds(*head, tuple(told["percents"]))
        case "auto_recharge_set":
            return SetAutoRecharge(*head, told["below"], told["packs"])
        case _:
            return None
