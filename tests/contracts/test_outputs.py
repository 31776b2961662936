"""Balances, alerts, handoffs, results, accounts and snapshots as they leave botmeter."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts import catalogue, encoding
from botmeter.contracts.codec import to_json
from botmeter.contracts.encoding import decode_account, decode_snapshot, encode_account, encode_snapshot
from botmeter.domain.account import Account, Allowance, PastCycle, Terms
from botmeter.domain.announcements import (
    Alert,
    AutoRecharge,
    HandedOffChat,
    ResumedBot,
    SuspendedBot,
    answer,
    balance_of,
)
from botmeter.domain.commands import CommandResult
from botmeter.domain.contacts import ContactDetails
from botmeter.domain.cycles import Cycle
from botmeter.domain.prices import Money

from .strategies import accounts

AT = 1_795_428_000_000  # 2026-11-23 10:00 UTC
#: So many that they are kept as bytes.
MANY = {f"k-{number}": CommandResult(f"k-{number}", AT, number, None, None) for number in range(200)}
ACCOUNT = Account(
    account_id="acme",
    version=42,
    status="active",
    terms=Terms(
        plan="growth",
        time_zone="America/New_York",
        billing_cycle="monthly",
        next_billing_cycle="quarterly",
        anchor=0,
        contacts=("admin@acme.example",),
        thresholds=(80,),
        recharge_below=500,
        recharge_packs=1,
        complimentary_granted=True,
    ),
    cycle=Cycle(3, 1_793_505_600_000, 1_796_101_200_000),
    allowance=Allowance("purchased", 2000, 1600, 2, 1, (80,)),
    past_cycle=PastCycle(2, 1_790_827_200_000, "complimentary", 500, 500),
    handled={
        "k-3": CommandResult("k-3", AT, 7, "reduces_below_zero", "too few"),
        "k-2": CommandResult("k-2", AT, 6, None, None),
    },
)


def with_usage(used: int, total: int) -> Account:
    return replace(ACCOUNT, allowance=replace(ACCOUNT.allowance, used=used, total=total))


def test_a_balance_is_what_the_contract_shows() -> None:
    written = catalogue.BALANCES.encode(balance_of(ACCOUNT, AT))

    assert written == (
        b'{"type":"balance","account_id":"acme","version":42,"at":"2026-11-23T10:00:00.000Z","status":"active",'
        b'"plan":"growth","pool":"purchased","total":2000,"used":1600,"remaining":400,"used_percent":80.0,"packs":2,'
        b'"packs_next_cycle":1,"cycle":{"number":3,"billing_cycle":"monthly","starts_at":"2026-11-01T04:00:00.000Z",'
        b'"ends_at":"2026-12-01T05:00:00.000Z"}}'
    )


@pytest.mark.parametrize(
    ("used", "total", "percent"),
    [
        (0, 0, 0.0),
        (0, 10, 0.0),
        (1, 3, 33.3),
        (2, 3, 66.6),
        (1999, 2000, 99.9),
        (999_999, 1_000_000, 99.9),
        (7, 7, 100.0),
    ],
)
def test_the_percentage_used_is_rounded_down_to_one_decimal(used: int, total: int, percent: float) -> None:
    assert json.loads(catalogue.BALANCES.encode(balance_of(with_usage(used, total), AT)))["used_percent"] == percent


def test_an_alert_is_what_the_contract_shows() -> None:
    alert = Alert(
        "threshold_reached",
        "acme/41",
        "acme",
        41,
        AT,
        80,
        1600,
        2000,
        400,
        "purchased",
        3,
        1_796_101_200_000,
        ("a@b", ContactDetails("c@d", locale="de", alerts=("projected",))),
        plan="growth",
        packs=2,
        time_zone="America/New_York",
        cycle_starts_at=1_793_505_600_000,
        cycle_elapsed_percent=74.0,
        auto_recharge=AutoRecharge(500, 1),
    )

    assert json.loads(catalogue.ALERTS.encode(alert)) == {
        "type": "threshold_reached",
        "alert_id": "acme/41",
        "account_id": "acme",
        "version": 41,
        "at": "2026-11-23T10:00:00.000Z",
        "percent": 80,
        "used": 1600,
        "total": 2000,
        "remaining": 400,
        "pool": "purchased",
        "cycle_number": 3,
        "cycle_ends_at": "2026-12-01T05:00:00.000Z",
        "contacts": ["a@b", {"email": "c@d", "name": None, "locale": "de", "alerts": ["projected"]}],
        "plan": "growth",
        "packs": 2,
        "time_zone": "America/New_York",
        "cycle_starts_at": "2026-11-01T04:00:00.000Z",
        "cycle_elapsed_percent": 74.0,
        "auto_recharge": {"below": 500, "packs": 1},
    }


@pytest.mark.parametrize(
    ("handoff", "own"),
    [
        (
            HandedOffChat(
                "chat_handed_off", "acme/50", "acme", 50, AT, "c-9", "u-7", "b-1", "sessions_exhausted", occurred_at=AT
            ),
            {
                "handoff_id": "acme/50",
                "conversation_id": "c-9",
                "end_user_id": "u-7",
                "bot_id": "b-1",
                "reason": "sessions_exhausted",
                "widget": "conversations",
                "occurred_at": "2026-11-23T10:00:00.000Z",
            },
        ),
        (
            SuspendedBot("bot_suspended", "acme", 50, AT, "account_closed", handoff_id="acme/50"),
            {
                "reason": "account_closed",
                "conversations": "transfer_to_agents",
                "self_service": "stopped",
                "handoff_id": "acme/50",
            },
        ),
        (
            ResumedBot("bot_resumed", "acme", 50, AT, "cycle_started", "acme/50"),
            {"reason": "cycle_started", "handoff_id": "acme/50"},
        ),
    ],
    ids=["chat", "suspended", "resumed"],
)
def test_a_handoff_is_what_the_contract_shows(
    handoff: HandedOffChat | SuspendedBot | ResumedBot, own: dict[str, Any]
) -> None:
    head = {"type": handoff.type, "account_id": "acme", "version": 50, "at": "2026-11-23T10:00:00.000Z"}
    assert json.loads(catalogue.HANDOFFS.encode(handoff)) == {**head, **own}


def test_results_are_what_the_contract_shows() -> None:
    accepted = catalogue.COMMAND_RESULTS.encode(answer("acme", CommandResult("k-2", AT, 7, None, None)))
    bought = catalogue.COMMAND_RESULTS.encode(
        answer("acme", CommandResult("k-2", AT, 7, None, None, Money(20_000, "USD")))
    )
    rejected = catalogue.COMMAND_RESULTS.encode(
        answer("acme", CommandResult("k-3", AT, None, "unknown_account", "never opened"))
    )

    assert accepted == (
        b'{"type":"accepted","command_id":"k-2","account_id":"acme","version":7,"at":"2026-11-23T10:00:00.000Z",'
        b'"charge":null}'
    )
    assert bought == accepted.replace(b"null", b'{"amount_minor":20000,"currency":"USD"}')
    assert rejected == (
        b'{"type":"rejected","command_id":"k-3","account_id":"acme","at":"2026-11-23T10:00:00.000Z",'
        b'"reason":"unknown_account","message":"never opened"}'
    )


@given(accounts, st.integers(0))
@settings(deadline=None)
def test_accounts_and_snapshots_come_back_as_they_were(account: Account, offset: int) -> None:
    account_json = encode_account(account)

    assert decode_account(account_json) == account
    assert decode_snapshot(encode_snapshot(account, account_json, offset)) == (account, offset)


def test_an_account_with_many_commands_comes_back_as_it_was_after_each_of_its_changes() -> None:
    account = replace(ACCOUNT, handled=MANY)
    for changed in (
        account,
        replace(account, version=43),
        replace(account, version=44, handled={"k-new": CommandResult("k-new", AT, 44, None, None), **MANY}),
        replace(account, account_id="globex"),
        account,
    ):
        assert decode_account(encode_account(changed)) == changed


def test_many_commands_are_made_bytes_when_they_change_and_not_with_each_change_of_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """50,000 of them are 5 MB, and each commit that touches the account writes it."""
    account, encoded = replace(ACCOUNT, account_id="hooli", handled=dict(MANY)), list[object]()

    def to_json_and_note(value: object) -> bytes:
        encoded.append(value)
        return to_json(value)

    monkeypatch.setattr(encoding, "to_json", to_json_and_note)
    for version in range(50, 60):
        encode_account(replace(account, version=version))

    assert sum(value is account.handled for value in encoded) == 1


def test_results_of_commands_stay_in_order() -> None:
    assert list(decode_account(encode_account(ACCOUNT)).handled) == ["k-3", "k-2"]


def test_a_snapshot_names_its_account_and_holds_it_once() -> None:
    account_json = encode_account(ACCOUNT)

    assert encode_snapshot(ACCOUNT, account_json, 1018) == (
        b'{"type":"snapshot","account_id":"acme","version":42,"journal_offset":1018,"account":' + account_json + b"}"
    )


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        encode_account(ACCOUNT).replace(b'"active"', b'"lazy"'),
        encode_account(ACCOUNT).replace(b"acme", b"\xff"),
    ],
)
def test_what_is_no_account_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="not an account"):
        decode_account(value)


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", encode_account(ACCOUNT)])
def test_what_is_no_snapshot_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="not a snapshot"):
        decode_snapshot(value)
