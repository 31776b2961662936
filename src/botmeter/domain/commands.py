"""Commands of the billing system, and their results (`C1` to `C4`)."""

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
class _CommandFields:
    """The fields of every command: its id, unique in its account (`C1`), and its issuer."""

    command_id: str
    issued_by: str


@dataclass(frozen=True, slots=True)
class OpenAccount(_CommandFields):
    """Opens an account. Billing cycles count from `anchor` (UTC ms); None: from the time of opening (`A4`)."""

    plan: Plan
    billing_cycle: BillingCycle
    anchor: int | None
    time_zone: str
    contacts: Contacts


@dataclass(frozen=True, slots=True)
class ChangePlan(_CommandFields):
    """Moves the account to another plan (`A1`, `A2`)."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class PurchasePacks(_CommandFields):
    """Adds packs to this cycle and to all that follow (`A5`)."""

    packs: int


@dataclass(frozen=True, slots=True)
class ReducePacks(_CommandFields):
    """Removes packs from the next cycle on (`A7`)."""

    packs: int


@dataclass(frozen=True, slots=True)
class CancelReduction(_CommandFields):
    """Sets the next cycle's packs back to the current ones (`A7`)."""


@dataclass(frozen=True, slots=True)
class ChangeBillingCycle(_CommandFields):
    """Changes the length of the cycles, from the next boundary on (`A9`)."""

    billing_cycle: BillingCycle


@dataclass(frozen=True, slots=True)
class CreditSessions(_CommandFields):
    """Adds sessions as goodwill (`A10`)."""

    sessions: int
    reason: str


@dataclass(frozen=True, slots=True)
class SetThresholds(_CommandFields):
    """Sets the percentages to warn at: 1 to 99, ascending, each once (`T1`)."""

    percents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetAutoRecharge(_CommandFields):
    """Sets auto-recharge: buy `packs` when fewer than `below` sessions remain; 0 packs turn it off (`A11`)."""

    below: int
    packs: int


@dataclass(frozen=True, slots=True)
class SetContacts(_CommandFields):
    """Sets the contacts that receive alerts."""

    contacts: Contacts


@dataclass(frozen=True, slots=True)
class CloseAccount(_CommandFields):
    """Closes the account permanently (`C4`)."""


@dataclass(frozen=True, slots=True)
class InvalidCommand(_CommandFields):
    """A command that could be decoded but has an invalid value, such as 0 packs (`C2`)."""

    type: str
    message: str


#: Every command with valid values.
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
    """The result for the issuer: refused with a `reason` (for programs) and a `message` (for people), else accepted.

    `at` is the command's broker timestamp (UTC ms). `version` is the account's version after the command, None for an
    unknown account. `charge` is the price of an accepted command, None if it cost nothing.
    """

    command_id: str
    at: int
    version: int | None
    reason: Refusal | None
    message: str | None
    charge: Money | None = None
