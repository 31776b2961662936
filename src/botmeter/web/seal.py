"""What proves a statement: its digest, and this server's signature of it.

For those who see money: a digest of few unknowns could be guessed, and amounts are among them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from botmeter.domain.prices import Money
from botmeter.history.digest import SUMS, statement_digest
from botmeter.readside.results import Statement
from botmeter.web.access.own_tokens import OwnTokens


@dataclass(frozen=True, slots=True)
class Seal:
    """`digest` is the SHA-256 of what the statement says; `signature` is this installation's, of account and digest."""

    digest: str
    signature: str


@dataclass(frozen=True, slots=True)
class SealedStatement(Statement):
    """A statement with what proves it."""

    seal: Seal


def sealed(statement: Statement, tokens: OwnTokens) -> SealedStatement:
    """The statement with its seal."""
    digest = _digest(statement)
    seal = Seal(digest, tokens.signature(statement.account_id, str(statement.cycle.number), digest))
    return SealedStatement(**{field.name: getattr(statement, field.name) for field in fields(Statement)}, seal=seal)


def is_of(seal: Seal, statement: Statement, tokens: OwnTokens) -> bool:
    """Whether this installation signed such a statement of the same account and cycle, whatever it says now."""
    return tokens.is_signature(seal.signature, statement.account_id, str(statement.cycle.number), seal.digest)


def _digest(statement: Statement) -> str:
    cycle = statement.cycle
    return statement_digest(
        statement.account_id,
        cycle.number,
        (cycle.starts_at, cycle.ends_at),
        {name: getattr(statement, name) for name in SUMS},
        (
            (row.at, row.place.version, row.packs, Money(row.charge.amount_minor, row.charge.currency))
            for row in statement.charges
        ),
    )
