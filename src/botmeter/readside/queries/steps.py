"""Changes of an account's pool other than by sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from botmeter.readside.queries.from_rows import money_of, place_of
from botmeter.readside.queries.timeline import issuers_of
from botmeter.readside.results import Step, StepKind
from botmeter.readside.tables import Tables

_KINDS: Final[Mapping[str, StepKind]] = {
    "complimentary_granted": "granted",
    "complimentary_forfeited": "forfeited",
    "packs_purchased": "purchased",
    "sessions_credited": "credited",
    "cycle_started": "renewed",
}


def steps_of(connection: Connection, tables: Tables, account: Any, cycle_number: int) -> tuple[Step, ...]:
    """The steps of one cycle, oldest first; a renewal's `sessions` are all that remain after it."""
    history = tables.history
    rows = connection.execute(
        select(history)
        .where(
            history.c.account_no == account.account_no,
            history.c.cycle_number == cycle_number,
            history.c.type.in_(_KINDS),
        )
        .order_by(history.c.journal_offset)
    ).all()
    issuers = issuers_of(connection, tables, account.account_no, rows)
    return tuple(_step(row, account, issuers) for row in rows)


def _step(row: Any, account: Any, issuers: Mapping[tuple[str, int], str]) -> Step:
    remaining = row.total - row.used
    is_renewal = row.type == "cycle_started"
    is_recharge = row.type == "packs_purchased" and '"trigger":"auto_recharge"' in row.detail
    return Step(
        at=row.at,
        kind="recharged" if is_recharge else _KINDS[row.type],
        sessions=remaining if is_renewal else row.moved,
        remaining=remaining,
        packs=row.packs,
        charge=money_of(row),
        issued_by=None if is_renewal or is_recharge else issuers.get((row.command_id, row.at)),
        place=place_of(row, account.partition),
    )
