"""What the billing side may ask for, and what it is answered (`C1` to `C4`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botmeter.domain.contacts import Contacts
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.prices import Money

Plan = Literal["free", "growth", "pro", "enterprise"]

#: Why a command was refused; stable codes.
Refusal = Literal[
    "invalid",
    "unknown_account",
    "account_closed",
    "account_exists",
    "reduces_below_zero",
    "no_pending_reduction",
]


@dataclass(frozen=True, slots=True)
class _Issued:
    """What every command carries: its id, unique in its account (`C1`), and who issued it."""

    command_id: str
    issued_by: str


@dataclass(frozen=True, slots=True)
class OpenAccount(_Issued):
    """`anchor` (UTC ms) is where billing cycles are counted from (`A4`); without one, the moment of opening."""

    plan: Plan
    billing_cycle: BillingCycle
    anchor: int | None
    time_zone: str
    contacts: Contacts


@dataclass(frozen=True, slots=True)
class ChangePlan(_Issued):
    """Moves the account to another plan (`A1`, `A2`)."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class PurchasePacks(_Issued):
    """Adds packs to this cycle and to all that follow (`A5`)."""

    packs: int


@dataclass(frozen=True, slots=True)
class ReducePacks(_Issued):
    """Takes packs away from the next cycle on (`A7`)."""

    packs: int


@dataclass(frozen=True, slots=True)
class CancelReduction(_Issued):
    """Sets the next cycle's packs back to the current ones (`A7`)."""


@dataclass(frozen=True, slots=True)
class ChangeBillingCycle(_Issued):
    """Another length of cycle, from the next boundary on (`A9`)."""

    billing_cycle: BillingCycle


@dataclass(frozen=True, slots=True)
class CreditSessions(_Issued):
    """A goodwill credit (`A10`)."""

    sessions: int
    reason: str


@dataclass(frozen=True, slots=True)
class SetThresholds(_Issued):
    """The percentages to warn at, 1 to 99, ascending, each once (`T1`)."""

    percents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetAutoRecharge(_Issued):
    """Buy `packs` when fewer than `below` sessions remain; 0 packs switch it off (`A11`)."""

    below: int
    packs: int


@dataclass(frozen=True, slots=True)
class SetContacts(_Issued):
    """Who is to be told of alerts."""

    contacts: Contacts


@dataclass(frozen=True, slots=True)
class CloseAccount(_Issued):
    """Ends the account for good (`C4`)."""


@dataclass(frozen=True, slots=True)
class InvalidCommand(_Issued):
    """A command that could be read but asks for something meaningless, such as 0 packs (`C2`)."""

    type: str
    message: str


#: What the rules judge each in its own way.
ValidCommand = (
    OpenAccount
    | ChangePlan
    | PurchasePacks
    | ReducePacks
    | CancelReduction
    | ChangeBillingCycle
    | CreditSessions
    | SetThresholds
    | SetAutoRecharge
    | SetContacts
    | CloseAccount
)
Command = ValidCommand | InvalidCommand


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What the issuer is told: refused with a `reason` (for programs) and a `message` (for people), else accepted.

    `at` is the command's broker timestamp (UTC ms); `version` the account's after the command, None if it is unknown;
    `charge` what an accepted command cost, None if nothing.
    """

    command_id: str
    at: int
    version: int | None
    reason: Refusal | None
    message: str | None
    charge: Money | None = None
