"""A tiny ledger in memory: it feeds interactions, commands and ticks to the pure domain, and remembers what came of it.

Tests read `given(steps...).when(step).then(events...)`. The ledger keeps the account by folding the emitted events
(`J1`), and the window starts and handoffs of end-users from the same events, as any host of the domain must.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Final

from botmeter.domain import commands as cmd
from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.domain.announcements import Announcement, announce
from botmeter.domain.billing import decide_command, decide_tick
from botmeter.domain.commands import CommandResult, Plan
from botmeter.domain.contacts import Contacts
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import CommandCause, Event, InteractionCause, TimerCause
from botmeter.domain.metering import Memory, Outcome, decide_interaction
from botmeter.domain.prices import PriceBook, Rules
from botmeter.domain.sessions import Actor, Interaction, Starts, Widget, with_start


def utc(text: str) -> int:
    """UTC ms of a wall time in UTC, such as `2026-03-10 12:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


#: Where every ledger's time begins; within a monthly cycle from 1 to 31 March when the account's anchor is MARCH.
NOON: Final = utc("2026-03-10 12:00")
MARCH: Final = utc("2026-03-01 00:00")
APRIL: Final = utc("2026-04-01 00:00")
MAY: Final = utc("2026-05-01 00:00")

#: Small numbers keep tests short: 5 complimentary sessions, packs of 10 for 1.00 USD.
SMALL: Final = Rules(prices=PriceBook(pack_sessions=10, pack_price_minor=100, complimentary_sessions=5))


@dataclass
class Ledger:
    """One account's journal and what follows from it; `now` is the broker's time of the record last taken, UTC ms."""

    rules: Rules = SMALL
    account_id: str = "acme"
    now: int = NOON
    state: Account | None = None
    journal: list[Event] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    results: list[CommandResult] = field(default_factory=list)
    starts: dict[tuple[str, bool], Starts] = field(default_factory=dict)
    handed_off_at: dict[str, int] = field(default_factory=dict)
    interactions_taken: int = 0
    commands_taken: int = 0

    @property
    def account(self) -> Account:
        """The account, which must have been opened."""
        assert self.state is not None
        return self.state

    def take_interaction(self, interaction: Interaction, at: int) -> None:
        self.now = at
        cause = InteractionCause("chat.interactions", 0, self.interactions_taken, f"e-{self.interactions_taken}")
        self.interactions_taken += 1
        known = Memory(
            self.starts.get((interaction.end_user_id, interaction.preview), ()),
            self.handed_off_at.get(interaction.conversation_id),
        )
        events, outcome = decide_interaction(self.state, interaction, known, at, cause, self.rules)
        self.outcomes.append(outcome)
        self._keep(events)

    def take_command(self, command: cmd.Command, at: int) -> None:
        self.now = at
        cause = CommandCause("billing.commands", 0, self.commands_taken, command.command_id, self.interactions_taken)
        self.commands_taken += 1
        events, result = decide_command(self.account_id, self.state, command, at, cause, self.rules)
        self.results.append(result)
        self._keep(events)

    def take_tick(self, at: int) -> None:
        self.now = at
        self._keep(decide_tick(self.account, at, TimerCause(self.interactions_taken), self.rules))

    def _keep(self, events: list[Event]) -> None:
        for event in events:
            self.state = evolve(self.state, event)
            self.journal.append(event)
            self.announcements.extend(announce(event, self.state))
            if isinstance(event, ev.SessionStarted):
                key = (event.end_user_id, event.preview)
                self.starts[key] = with_start(self.starts.get(key, ()), event.started_at, event.at, self.rules)
            if isinstance(event, ev.ChatHandedOff):
                self.handed_off_at[event.conversation_id] = event.at


# --- Steps -----------------------------------------------------------------------------------------------------------

Step = Callable[[Ledger], None]


def interaction(
    end_user: str = "u-1",
    *,
    at: int | None = None,
    occurred_at: int | None = None,
    conversation: str | None = None,
    widget: Widget = "conversations",
    actor: Actor = "end_user",
    bot: str | None = "b-1",
    preview: bool = False,
) -> Step:
    """One interaction, received by the broker `at` (by default: now) and as fresh as that."""

    def take(ledger: Ledger) -> None:
        received_at = ledger.now if at is None else at
        happened_at = received_at if occurred_at is None else occurred_at
        chat = conversation or f"c-{end_user}"
        ledger.take_interaction(Interaction(end_user, bot, chat, widget, actor, preview, happened_at), received_at)

    return take


def sessions(count: int, *, at: int | None = None) -> Step:
    """So many interactions, each of an end-user never seen before."""

    def take(ledger: Ledger) -> None:
        for _ in range(count):
            interaction(f"new-{ledger.interactions_taken}", at=at)(ledger)

    return take


def tick(at: int) -> Step:
    """The timer looks at the account."""
    return lambda ledger: ledger.take_tick(at)


def command(make: Callable[[str, str], cmd.Command], *, at: int | None = None, id_: str | None = None) -> Step:
    """A command made from its id (by default: a fresh one) and issuer."""

    def take(ledger: Ledger) -> None:
        command_id = f"k-{ledger.commands_taken}" if id_ is None else id_
        ledger.take_command(make(command_id, "tester"), ledger.now if at is None else at)

    return take


def open_account(
    plan: Plan = "growth",
    *,
    billing_cycle: BillingCycle = "monthly",
    anchor: int | None = MARCH,
    time_zone: str = "UTC",
    contacts: Contacts = (),
    at: int | None = None,
    id_: str | None = None,
) -> Step:
    """Opens the account; by default in a monthly cycle that began on 1 March, UTC."""
    return command(
        lambda key, issuer: cmd.OpenAccount(key, issuer, plan, billing_cycle, anchor, time_zone, contacts),
        at=at,
        id_=id_,
    )


def purchase(packs: int, *, at: int | None = None, id_: str | None = None) -> Step:
    return command(lambda key, issuer: cmd.PurchasePacks(key, issuer, packs), at=at, id_=id_)


def reduce(packs: int, *, at: int | None = None, id_: str | None = None) -> Step:
    return command(lambda key, issuer: cmd.ReducePacks(key, issuer, packs), at=at, id_=id_)


def cancel_reduction(*, at: int | None = None, id_: str | None = None) -> Step:
    return command(cmd.CancelReduction, at=at, id_=id_)


def change_plan(plan: Plan, *, at: int | None = None, id_: str | None = None) -> Step:
    return command(lambda key, issuer: cmd.ChangePlan(key, issuer, plan), at=at, id_=id_)


def change_billing_cycle(billing_cycle: BillingCycle, *, at: int | None = None) -> Step:
    return command(lambda key, issuer: cmd.ChangeBillingCycle(key, issuer, billing_cycle), at=at)


def credit(count: int, *, at: int | None = None, id_: str | None = None) -> Step:
    return command(lambda key, issuer: cmd.CreditSessions(key, issuer, count, "outage"), at=at, id_=id_)


def set_thresholds(*percents: int, at: int | None = None) -> Step:
    return command(lambda key, issuer: cmd.SetThresholds(key, issuer, percents), at=at)


def set_auto_recharge(below: int, packs: int, *, at: int | None = None) -> Step:
    return command(lambda key, issuer: cmd.SetAutoRecharge(key, issuer, below, packs), at=at)


def set_contacts(*contacts: str) -> Step:
    return command(lambda key, issuer: cmd.SetContacts(key, issuer, contacts))


def close_account(*, at: int | None = None, id_: str | None = None) -> Step:
    return command(cmd.CloseAccount, at=at, id_=id_)


def invalid(
    type_: str = "purchase_packs", message: str = "packs must be at least 1", *, id_: str | None = None
) -> Step:
    return command(lambda key, issuer: cmd.InvalidCommand(key, issuer, type_, message), id_=id_)


# --- Given, when, then -----------------------------------------------------------------------------------------------


class Pattern:
    """What an event, announcement or result must be: its type, and the fields that the test is about."""

    def __init__(self, type_: type[object], **fields: object) -> None:
        self.type, self.fields = type_, fields

    def told(self) -> object:
        return self.type.__name__, self.fields

    def seen_in(self, thing: object) -> object:
        """The part of the thing that the pattern speaks of."""
        return type(thing).__name__, {name: getattr(thing, name, "missing") for name in self.fields}


def did(type_: type[object], **fields: object) -> Pattern:
    return Pattern(type_, **fields)


#: The end of every command's events: accepted, or refused for a reason.
ACCEPTED: Final = did(ev.CommandHandled, result="accepted", reason=None, message=None)


def refused(reason: cmd.Refusal) -> Pattern:
    return did(ev.CommandHandled, result="rejected", reason=reason)


def expect(things: list[object], patterns: tuple[Pattern, ...]) -> None:
    """The things are exactly these, in this order."""
    seen = [p.seen_in(t) if p else (type(t).__name__, t) for t, p in zip_longest(things, patterns) if t is not None]

    assert [pattern.told() for pattern in patterns] == seen


class Story:
    """What happened since `given`, told step by step."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._mark()

    def _mark(self) -> None:
        ledger = self.ledger
        self._before = (len(ledger.journal), len(ledger.announcements), len(ledger.outcomes), len(ledger.results))

    def when(self, *steps: Step) -> Story:
        """Takes the steps; what follows speaks of these alone."""
        self._mark()
        for step in steps:
            step(self.ledger)
        return self

    @property
    def events(self) -> list[Event]:
        return self.ledger.journal[self._before[0] :]

    @property
    def outcomes(self) -> list[Outcome]:
        return self.ledger.outcomes[self._before[2] :]

    @property
    def results(self) -> list[CommandResult]:
        return self.ledger.results[self._before[3] :]

    @property
    def account(self) -> Account:
        return self.ledger.account

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def then(self, *patterns: Pattern) -> Story:
        """Exactly these events came of it."""
        expect([*self.events], patterns)
        return self

    def then_told(self, *patterns: Pattern) -> Story:
        """Exactly these alerts and handoffs came of it."""
        expect([*self.ledger.announcements[self._before[1] :]], patterns)
        return self

    def then_answered(self, *patterns: Pattern) -> Story:
        """The commands got exactly these answers."""
        expect([*self.results], patterns)
        return self

    def then_outcome(self, *outcomes: Outcome) -> Story:
        """This became of the interactions."""
        assert [*outcomes] == self.outcomes
        return self

    def then_stands(self, **fields: object) -> Story:
        """The account stands thus: `status`, or anything of its allowance."""
        account, allowance = self.account, self.account.allowance
        seen = {name: getattr(account if name == "status" else allowance, name) for name in fields}

        assert fields == seen
        return self


def given(*steps: Step, rules: Rules = SMALL, now: int = NOON) -> Story:
    """What has happened before, beginning at `now` (UTC ms)."""
    return Story(Ledger(rules=rules, now=now)).when(*steps)
