"""The statement of a billing cycle: its lines, its check, and the same as CSV."""

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
from botmeter.web.page.numbers import count, signed, some
from botmeter.web.page.results_told import Notice
from botmeter.web.seal import Seal, is_of, sealed

_KINDS = {"purchase": "bought", "auto_recharge": "bought by auto-recharge", "renewal": "renewed with the cycle"}
#: Programs that show tables take cells that begin so for formulas.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line; `number` is signed as it counts in the sum."""

    name: str
    what: str
    number: int
    is_sum: bool = False

    @property
    def sessions(self) -> str:
        """As the page writes it."""
        return count(self.number) if self.is_sum else signed(self.number)


def statement_lines(statement: Statement) -> list[StatementLine]:
    """Opening, what came, what went, closing; lines that are 0 are left out."""
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


def checked(statement: Statement, digest: str, signature: str, tokens: OwnTokens) -> Notice | None:
    """What there is to say of a copy with this digest and signature; None when nobody asks."""
    if not (digest or signature):
        return None
    copy = Seal(digest.strip().lower(), signature.strip())
    if not is_of(copy, statement, tokens):
        return Notice("red", "This copy was not issued here.", "No statement of this cycle was signed with these.")
    if copy.digest == sealed(statement, tokens).seal.digest:
        return Notice("ok", "This copy is genuine.", "It was issued here, and says what the statement says now.")
    why = "The cycle still runs." if statement.is_current else "Sessions that came late count in their own cycle."
    return Notice("amber", "This copy is genuine, and the statement has changed since.", why)


def cycle_bar(statement: Statement) -> Markup:
    """What was used of the sessions of a cycle."""
    return small_bar(statement.sessions, statement.available, "active")


def statement_part(statement: Statement, seal: Seal | None) -> dict[str, Any]:
    """What the page of a statement shows; its seal only to those who see money."""
    lines = statement_lines(statement)
    adds_up = lines[0].number + sum(line.number for line in lines[1:-1]) == lines[-1].number
    place = f"{statement.freshness.partition}/{statement.freshness.offset:,}"
    said = "These lines add up" if adds_up else "These lines do not add up; please report this"
    handed = f" {some(statement.handoffs, 'chat')} went to agents." if statement.handoffs else ""
    return {
        "statement": statement,
        "statement_lines": lines,
        "statement_check": f"{said}, and rest on the journal up to {place}.{handed}",
        "charge_words": charge_words,
        "seal": seal,
    }


def charge_words(row: ChargeRow) -> str:
    """`1 pack, 1,000 sessions, bought`."""
    return f"{some(row.packs, 'pack')}, {some(row.sessions, 'session')}, {_KINDS[row.kind]}"


def statement_csv(statement: Statement, clock: Clock, seal: Seal | None) -> str:
    """The lines as CSV: section, item, detail, sessions; with a seal also amount in minor units, currency, who."""
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
            told = [row.charge.amount_minor, row.charge.currency, row.issued_by or ""]
            writer.writerow(
                list(map(_cell, [*head, "charges", clock.iso(row.at), charge_words(row), row.sessions, *told]))
            )
    if seal is not None:
        for name, told_ in (("Digest", seal.digest), ("Signature", seal.signature)):
            writer.writerow(list(map(_cell, [*head, "seal", name, told_, "", *blank])))
    return out.getvalue()


def _cell(value: object) -> object:
    """What begins like a formula is text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
