"""The statement of a billing cycle: its lines, the check of a copy, and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from botmeter.readside.results import ChargeRow, Statement
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.page.charts.allowance_bar import small_bar
from botmeter.web.page.moments import Clock
from botmeter.web.page.notices import Notice
from botmeter.web.page.numbers import count, signed, some
from botmeter.web.seal import Seal, is_genuine, sealed

_KINDS = {"purchase": "bought", "auto_recharge": "bought by auto-recharge", "renewal": "renewed with the cycle"}
#: A spreadsheet reads a cell with such a beginning as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line; the sign of `number` is the one it has in the sum."""

    name: str
    what: str
    number: int
    is_sum: bool = False

    @property
    def sessions(self) -> str:
        """The number as the page writes it."""
        return count(self.number) if self.is_sum else signed(self.number)


def statement_lines(statement: Statement) -> list[StatementLine]:
    """Returns opening balance, additions, deductions and closing balance; lines of 0 are left out."""
    previews = f", {some(statement.previews, 'preview')} among them" if statement.previews else ""
    late = f", {count(statement.late_sessions)} of them came late" if statement.late_sessions else ""
    between = [
        StatementLine("Renewed", "packs of this cycle", statement.renewed),
        StatementLine("Granted", "complimentary sessions", statement.granted),
        StatementLine("Bought", "packs, and auto-recharge", statement.purchased),
        StatementLine("Credited", "goodwill", statement.credited),
        StatementLine("Sessions", f"charged{previews}{late}", -statement.sessions),
        StatementLine("Forfeited", "complimentary sessions that packs replaced", -statement.forfeited),
        StatementLine("Expired", "unused at the end of the cycle", -statement.expired),
    ]
    last = StatementLine("Remaining", "left now", statement.remaining, is_sum=True)
    if not statement.is_current:
        last = StatementLine("Closing", "carried into the next cycle", statement.remaining, is_sum=True)
    opening = StatementLine("Opening", "carried from the cycle before", statement.opening, is_sum=True)
    return [opening, *(line for line in between if line.number), last]


def check_copy(statement: Statement, digest: str, signature: str, tokens: OwnTokens) -> Notice | None:
    """Says whether a copy with this digest and signature is genuine; None when both are empty."""
    if not (digest or signature):
        return None
    copy = Seal(digest.strip().lower(), signature.strip())
    if not is_genuine(copy, statement, tokens):
        return Notice("red", "This copy was not issued here.", "No statement of this cycle was signed with these.")
    if copy.digest == sealed(statement, tokens).seal.digest:
        return Notice("ok", "This copy is genuine.", "It was issued here, and says what the statement says now.")
    why = "The cycle still runs." if statement.is_current else "Sessions that came late count in their own cycle."
    return Notice("amber", "This copy is genuine, and the statement has changed since.", why)


def cycle_bar(statement: Statement) -> Markup:
    """Returns the bar of used sessions of a cycle."""
    return small_bar(statement.sessions, statement.available, "active")


def statement_part(statement: Statement, seal: Seal | None) -> dict[str, Any]:
    """Returns the context of the page; `seal` only for callers who see money."""
    lines = statement_lines(statement)
    adds_up = lines[0].number + sum(line.number for line in lines[1:-1]) == lines[-1].number
    place = f"{statement.freshness.partition}/{statement.freshness.offset:,}"
    verdict = "These lines add up" if adds_up else "These lines do not add up; please report this"
    handoffs = f" {some(statement.handoffs, 'chat')} went to agents." if statement.handoffs else ""
    return {
        "statement": statement,
        "statement_lines": lines,
        "statement_check": f"{verdict}, and rest on the journal up to {place}.{handoffs}",
        "charge_words": charge_words,
        "seal": seal,
    }


def charge_words(row: ChargeRow) -> str:
    """`1 pack, 1,000 sessions, bought`."""
    return f"{some(row.packs, 'pack')}, {some(row.sessions, 'session')}, {_KINDS[row.kind]}"


def statement_csv(statement: Statement, clock: Clock, seal: Seal | None) -> str:
    """Returns the lines as CSV: section, item, detail, sessions; with a seal also amount, currency and issuer."""
    is_with_money = seal is not None
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["account", "cycle", "from", "to", "section", "item", "detail", "sessions"]
        + (["amount_minor", "currency", "issued_by"] if is_with_money else [])
    )
    head = [
        statement.account_id,
        statement.cycle.number,
        clock.iso(statement.cycle.starts_at),
        clock.iso(statement.cycle.ends_at),
    ]
    blank = ["", "", ""] if is_with_money else []
    for line in statement_lines(statement):
        writer.writerow(list(map(_cell, [*head, "sessions", line.name, line.what, line.number, *blank])))
    if is_with_money:
        for row in statement.charges:
            money = [row.charge.amount_minor, row.charge.currency, row.issued_by or ""]
            writer.writerow(
                list(map(_cell, [*head, "charges", clock.iso(row.at), charge_words(row), row.sessions, *money]))
            )
    if seal is not None:
        for name, value in (("Digest", seal.digest), ("Signature", seal.signature)):
            writer.writerow(list(map(_cell, [*head, "seal", name, value, "", *blank])))
    return out.getvalue()


def _cell(value: object) -> object:
    """Makes text that begins like a formula plain text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
