"""Describes what a command will do to an account: the domain's rules decide it on the account's present state. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from botmeter.cli.account.words import count, moment, money
from botmeter.domain import events as ev
from botmeter.domain.account import Account, fold
from botmeter.domain.billing import decide_command
from botmeter.domain.commands import Command, PurchasePacks, SetAutoRecharge
from botmeter.domain.events import CommandCause, Event
from botmeter.domain.prices import Rules

#: The place of the command's record is not known yet, and the description does not need it.
_CAUSE = CommandCause("", 0, 0, "", 0)


def changes_of(account: Account, command: Command, at: int, rules: Rules) -> Iterator[str]:
    """Yields a line for each effect that the command would have at `at` (UTC ms)."""
    events, result = decide_command(account.account_id, account, command, at, _CAUSE, rules)
    if result.reason is not None:
        yield f"This will be refused ({result.reason}): {result.message}."
        return
    after = fold(account, events)
    assert after is not None
    zone = account.terms.time_zone
    for event in events:
        if line := _describe(event, zone):
            yield line
    if isinstance(command, PurchasePacks) or any(isinstance(event, ev.PacksPurchased) for event in events):
        yield from _next_cycle(after, rules)
    if isinstance(command, SetAutoRecharge) and command.packs:
        price = money(rules.prices.charge(command.packs))
        yield (
            f"Whenever fewer than {count(command.below, 'session')} remain, {count(command.packs, 'pack')} will be "
            f"bought for {price}, without asking, and renewed with every billing cycle."
        )
        if after.allowance.pool == "purchased" and after.allowance.remaining < command.below:
            yield f"Only {count(after.allowance.remaining, 'session')} remain now: the next session will recharge."


def _next_cycle(after: Account, rules: Rules) -> Iterator[str]:
    packs = after.allowance.packs_next_cycle
    yield (
        f"It renews: {count(packs, 'pack')} for {money(rules.prices.charge(packs))} "
        f"from {moment(after.cycle.ends_at, after.terms.time_zone)} on, every {_LENGTH[after.terms.billing_cycle]}."
    )


_LENGTH = {"monthly": "month", "quarterly": "quarter", "half_yearly": "half-year", "annual": "year"}


def _describe(event: Event, zone: str) -> str | None:
    match event:
        case ev.PacksPurchased():
            return (
                f"{count(event.packs, 'pack')} ({count(event.sessions, 'session')}) for {money(event.charge)}, now: "
                f"{event.used:,} of {event.total:,} sessions used."
            )
        case ev.ComplimentaryForfeited():
            return f"{count(event.sessions, 'complimentary session')} left will be forfeited."
        case ev.ComplimentaryGranted():
            return f"{count(event.sessions, 'complimentary session')} will be granted."
        case ev.SessionsAvailable():
            return "The bot answers again."
        case ev.SessionsExhausted():
            return "No session is left: new chats will go to the agents."
        case ev.PackReductionScheduled():
            return f"{count(event.packs_next_cycle, 'pack')} from the next billing cycle on; nothing is refunded."
        case ev.AccountClosed():
            return "The account is closed for good: its bots are suspended, and packs no longer renew."
        case ev.CycleStarted():
            return f"A billing cycle begins first ({moment(event.starts_at, zone)}), charged {money(event.charge)}."
        case _:
            return None
