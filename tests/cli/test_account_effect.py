"""What is said before a command spends money is what the rules would do."""

from __future__ import annotations

from botmeter.cli.account.effect import changes_of
from botmeter.domain.commands import ChangePlan, CloseAccount, Command, PurchasePacks, ReducePacks, SetAutoRecharge
from domain import ledger as tale
from domain.ledger import APRIL, Step, given


def said(command: Command, *steps: Step, at: int | None = None) -> str:
    ledger = given(tale.open_account(time_zone="Europe/Berlin"), *steps).ledger
    return "\n".join(changes_of(ledger.account, command, ledger.now if at is None else at, ledger.rules))


def test_the_first_packs_forfeit_what_is_complimentary_and_renew() -> None:
    lines = said(PurchasePacks("k", "me", 2), tale.sessions(1))

    assert "4 complimentary sessions left will be forfeited." in lines
    assert "2 packs (20 sessions) for 2.00 USD, now: 0 of 20 sessions used." in lines
    assert "It renews: 2 packs for 2.00 USD from 1 Apr 2026" in lines


def test_packs_for_an_exhausted_account_bring_the_bot_back() -> None:
    assert "The bot answers again." in said(PurchasePacks("k", "me", 1), tale.sessions(5))


def test_a_cycle_that_begins_first_is_told_with_its_charge() -> None:
    lines = said(PurchasePacks("k", "me", 1), tale.purchase(3), at=APRIL + 1)

    assert "A billing cycle begins first" in lines
    assert "charged 3.00 USD" in lines
    assert "It renews: 4 packs for 4.00 USD" in lines


def test_a_refusal_is_foreseen() -> None:
    assert said(ReducePacks("k", "me", 1)).startswith("This will be refused (reduces_below_zero)")


def test_auto_recharge_says_when_it_would_buy_at_once() -> None:
    lines = said(SetAutoRecharge("k", "me", 20, 1), tale.purchase(1))

    assert "Whenever fewer than 20 sessions remain, 1 pack will be bought for 1.00 USD" in lines
    assert "Only 10 sessions remain now: the next session will recharge." in lines


def test_the_free_plan_and_the_end_are_told() -> None:
    assert "5 complimentary sessions left will be forfeited." in said(ChangePlan("k", "me", "free"))
    assert "The account is closed for good" in said(CloseAccount("k", "me"))
