"""The seal of a statement: its digest, and this installation's signature over it.

Only callers who may see money get the seal: the digest covers the amounts, and few unknowns in it could be guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from botmeter.domain.prices import Money
from botmeter.history.digest import SUMS, statement_digest
from botmeter.readside.results import Statement
from botmeter.web.access.own_tokens import OwnTokens


@dataclass(frozen=True, slots=True)
class Seal:
    """`digest` is the SHA-256 of the statement's content; `signature` covers account, cycle and digest."""

    digest: str
    signature: str


@dataclass(frozen=True, slots=True)
class SealedStatement(Statement):
    """A statement with its seal."""

    seal: Seal


def sealed(statement: Statement, tokens: OwnTokens) -> SealedStatement:
    """Returns the statement with its seal."""
    digest = _digest(statement)
    seal = Seal(digest, tokens.signature(statement.account_id, str(statement.cycle.number), digest))
    return SealedStatement(**{field.name: getattr(statement, field.name) for field in fields(Statement)}, seal=seal)


def is_genuine(seal: Seal, statement: Statement, tokens: OwnTokens) -> bool:
    """Whether this installation signed the digest for this account and cycle; the statement may have changed since."""
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
