"""The billing side of the demo: some buy when all is used, a moment later."""

from __future__ import annotations

from botmeter.contracts.decoding import decode_command
from botmeter.demo.billing import BillingSide
from botmeter.domain.commands import PurchasePacks
from botmeter.simulation.accounts import population

ACCOUNTS = population(12)
BUYER = next(account for account in ACCOUNTS if account.packs_when_exhausted)
NOBODY = next(account for account in ACCOUNTS if not account.packs_when_exhausted)


def side() -> BillingSide:
    return BillingSide(ACCOUNTS, "billing.commands", seed=1)


def test_packs_are_bought_some_seconds_after_the_alert() -> None:
    billing = side()
    billing.schedule_purchases([BUYER.account_id], now_s=10.0)

    assert billing.due(12.9) == []
    [purchase] = billing.due(13.0)
    account_id, command = decode_command(purchase.value)
    assert account_id == BUYER.account_id
    assert isinstance(command, PurchasePacks)
    assert command.packs == BUYER.packs_when_exhausted
    assert billing.due(100.0) == []


def test_where_nobody_reacts_nothing_is_bought() -> None:
    billing = side()
    billing.schedule_purchases([NOBODY.account_id, "somebody unknown"], now_s=0.0)

    assert billing.due(100.0) == []


def test_who_runs_out_again_buys_again() -> None:
    billing = side()
    billing.schedule_purchases([BUYER.account_id], now_s=0.0)
    billing.schedule_purchases([BUYER.account_id], now_s=20.0)

    ids = {decode_command(purchase.value)[1].command_id for purchase in billing.due(100.0)}
    assert len(ids) == 2
