"""Commands from the wire: each reaches the domain, and one that makes no sense is answered rather than dropped (C2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts import catalogue
from botmeter.contracts.decoding import decode_command
from botmeter.contracts.encoding import encode_event
from botmeter.domain import commands as cmd
from botmeter.domain.contacts import ContactDetails
from botmeter.domain.events import CommandCause, CommandHandled
from botmeter.errors import PoisonRecord

COMMANDS = [message.example for message in catalogue.COMMANDS.messages]

EXAMPLES = {example["type"]: example for example in COMMANDS}
ISSUED = ("k-2", "admin")

UNDERSTOOD = {
    "open_account": cmd.OpenAccount(
        *ISSUED, "growth", "monthly", 1_793_491_200_000, "America/New_York", ("admin@acme.example",)
    ),
    "change_plan": cmd.ChangePlan(*ISSUED, "pro"),
    "purchase_packs": cmd.PurchasePacks(*ISSUED, 2),
    "reduce_packs": cmd.ReducePacks(*ISSUED, 1),
    "cancel_reduction": cmd.CancelReduction(*ISSUED),
    "change_billing_cycle": cmd.ChangeBillingCycle(*ISSUED, "quarterly"),
    "credit_sessions": cmd.CreditSessions(*ISSUED, 100, "outage 11 Nov"),
    "set_thresholds": cmd.SetThresholds(*ISSUED, (50, 80, 95)),
    "set_auto_recharge": cmd.SetAutoRecharge(*ISSUED, 500, 1),
    "set_contacts": cmd.SetContacts(*ISSUED, ("billing@acme.example",)),
    "close_account": cmd.CloseAccount(*ISSUED),
}


def command(type_: str, **changed: Any) -> bytes:
    return json.dumps({**EXAMPLES[type_], **changed}).encode()


def refused(value: bytes) -> cmd.InvalidCommand:
    account_id, decoded = decode_command(value)
    assert account_id == "acme"
    assert isinstance(decoded, cmd.InvalidCommand)
    return decoded


@pytest.mark.parametrize("type_", UNDERSTOOD)
def test_each_command_reaches_the_domain(type_: str) -> None:
    assert decode_command(command(type_, unknown={"more": [1]})) == ("acme", UNDERSTOOD[type_])


def test_every_command_of_the_domain_can_be_sent() -> None:
    assert {type(decoded) for decoded in UNDERSTOOD.values()} | {cmd.InvalidCommand} == set(cmd.Command.__args__)


def test_what_opening_may_leave_out_has_its_default() -> None:
    optional = {"anchor", "time_zone", "contacts"}
    shortest = {key: value for key, value in EXAMPLES["open_account"].items() if key not in optional}

    assert decode_command(json.dumps(shortest).encode()) == (
        "acme",
        cmd.OpenAccount(*ISSUED, "growth", "monthly", None, "UTC", ()),
    )


@pytest.mark.parametrize(
    ("given_percents", "understood"), [([95, 50, 80, 50], (50, 80, 95)), ([], ()), ([1, 99], (1, 99))]
)
def test_thresholds_become_ascending_and_unique(given_percents: list[int], understood: tuple[int, ...]) -> None:
    assert decode_command(command("set_thresholds", percents=given_percents))[1] == cmd.SetThresholds(
        *ISSUED, understood
    )


def test_zero_packs_switch_auto_recharge_off() -> None:
    assert decode_command(command("set_auto_recharge", below=0, packs=0))[1] == cmd.SetAutoRecharge(*ISSUED, 0, 0)


def test_a_contact_is_an_address_or_an_object() -> None:
    given = ["a@b", {"email": "c@d"}, {"email": "e@f", "name": "E", "locale": "de-AT", "alerts": ["projected"]}]

    assert decode_command(command("set_contacts", contacts=given))[1] == cmd.SetContacts(
        *ISSUED,
        ("a@b", ContactDetails("c@d"), ContactDetails("e@f", "E", "de-AT", ("projected",))),
    )


MEANINGLESS: dict[str, tuple[bytes, str]] = {
    "0 packs": (command("purchase_packs", packs=0), "packs: Input should be greater than or equal to 1"),
    "-1 packs": (command("reduce_packs", packs=-1), "packs: Input should be greater than or equal to 1"),
    "too many packs": (command("purchase_packs", packs=1_000_001), "packs: Input should be less than or equal to"),
    "packs beyond counting": (command("purchase_packs", packs=10**4000), "packs: Input should be a valid integer"),
    "half a pack": (command("purchase_packs", packs=0.5), "packs: Input should be a valid integer"),
    "packs in words": (command("purchase_packs", packs="2"), "packs: Input should be a valid integer"),
    "packs true": (command("purchase_packs", packs=True), "packs: Input should be a valid integer"),
    "no sessions": (command("credit_sessions", sessions=0), "sessions: Input should be greater than or equal to 1"),
    "too many sessions": (command("credit_sessions", sessions=10**9 + 1), "sessions: Input should be less than"),
    "endless reason": (command("credit_sessions", reason="x" * 1001), "reason: String should have at most 1000"),
    "reason without Unicode": (command("credit_sessions", reason="\ud800"), "reason: Input should be a valid string"),
    "percent 0": (command("set_thresholds", percents=[0]), "percents.0: Input should be greater than or equal to 1"),
    "percent 100": (command("set_thresholds", percents=[80, 100]), "percents.1: Input should be less than or equal to"),
    "100 percents": (command("set_thresholds", percents=[80] * 100), "percents: List should have at most 99 items"),
    "one percent": (command("set_thresholds", percents=80), "percents: Input should be a valid list"),
    "below -1": (command("set_auto_recharge", below=-1), "below: Input should be greater than or equal to 0"),
    "below too much": (command("set_auto_recharge", below=10**9 + 1), "below: Input should be less than or equal to"),
    "recharge too much": (command("set_auto_recharge", packs=1_000_001), "packs: Input should be less than or equal"),
    "unknown plan": (command("change_plan", plan="gold"), "plan: Input should be 'free', 'growth', 'pro' or"),
    "unknown cycle": (command("change_billing_cycle", billing_cycle="weekly"), "billing_cycle: Input should be"),
    "nowhere": (command("open_account", time_zone="Mars/Olympus"), "time_zone: Input should be an IANA time zone"),
    "no time zone": (command("open_account", time_zone=""), "time_zone: Input should be an IANA time zone"),
    "null time zone": (command("open_account", time_zone=None), "time_zone: Input should be a valid string"),
    "a path for a zone": (command("open_account", time_zone="../UTC"), "time_zone: Input should be an IANA time zone"),
    "anchor in 1969": (command("open_account", anchor="1969-12-31T23:59:59Z"), "anchor: The anchor should lie in"),
    "anchor in 2200": (command("open_account", anchor="2200-01-01T00:00:00Z"), "anchor: The anchor should lie in"),
    "anchor without offset": (command("open_account", anchor="2026-11-01T00:00:00"), "anchor: Input should be an RFC"),
    "anchor as a number": (command("open_account", anchor=1_793_491_200), "anchor: Input should be an RFC 3339"),
    "contact in no words": (command("set_contacts", contacts=[5]), "contacts.0: Input should be an e-mail address or"),
    "contact without address": (command("set_contacts", contacts=[{}]), "contacts.0.details.email: Field required"),
    "unknown alert": (
        command("set_contacts", contacts=[{"email": "a@b", "alerts": ["mood"]}]),
        "contacts.0.details.alerts.0: Input should be",
    ),
    "no language": (
        command("set_contacts", contacts=[{"email": "a@b", "locale": "de_DE"}]),
        "contacts.0.details.locale: String should match",
    ),
    "51 contacts": (command("set_contacts", contacts=["a@b"] * 51), "contacts: List should have at most 50 items"),
    "empty contact": (
        command("set_contacts", contacts=[""]),
        "contacts.0.address: String should have at least 1 character",
    ),
    "endless contact": (
        command("set_contacts", contacts=["x" * 321]),
        "contacts.0.address: String should have at most 320",
    ),
    "contact with a line break": (
        command("set_contacts", contacts=["a\nb"]),
        "contacts.0.address: String should have no",
    ),
}


@pytest.mark.parametrize(("value", "words"), MEANINGLESS.values(), ids=MEANINGLESS)
def test_a_command_that_makes_no_sense_is_an_invalid_one(value: bytes, words: str) -> None:
    invalid = refused(value)

    assert (invalid.command_id, invalid.issued_by) == ISSUED
    assert invalid.type == json.loads(value)["type"]
    assert words in invalid.message


@pytest.mark.parametrize("issued_by", [None, "", 5, "a\x00", "x" * 257])
def test_who_issued_a_command_must_be_readable(issued_by: object) -> None:
    invalid = refused(command("close_account", issued_by=issued_by))

    assert invalid.issued_by == ""
    assert invalid.message.startswith("issued_by: ")


@pytest.mark.parametrize(
    ("type_", "kept"),
    [
        (None, ""),
        (7, ""),
        ([], ""),
        ({}, ""),
        ("", ""),
        ("buy", "buy"),
        ("x" * 100, "x" * 64),
        ("a\x00\ud800b", "a\ufffd\ufffdb"),
        ("Purchase_Packs", "Purchase_Packs"),
    ],
)
def test_an_unknown_type_is_an_invalid_command(type_: object, kept: str) -> None:
    invalid = refused(command("close_account", type=type_))

    assert (invalid.command_id, invalid.issued_by, invalid.type) == (*ISSUED, kept)
    assert invalid.message.startswith("type: Input should be one of open_account, ")


def test_a_command_without_a_type_is_invalid() -> None:
    assert refused(b'{"command_id":"k-2","account_id":"acme","issued_by":"admin"}').type == ""


@given(
    st.dictionaries(st.sampled_from(["type", "issued_by", "packs", "plan"]), st.text() | st.sampled_from(["\ud800"]))
)
@settings(deadline=None)
def test_whatever_an_invalid_command_says_the_journal_can_hold_it(fields: dict[str, str]) -> None:
    value = json.dumps({**fields, "command_id": "k-2", "account_id": "acme"}).encode()

    _, decoded = decode_command(value)

    assert isinstance(decoded, cmd.InvalidCommand)
    cause = CommandCause("billing.commands", 0, 5, "k-2", 18)
    head = ("acme", 1, 0, cause)
    encode_event(
        CommandHandled(
            *head, decoded.command_id, decoded.type, decoded.issued_by, "rejected", "invalid", decoded.message
        )
    )


UNANSWERABLE: dict[str, tuple[bytes | None, str, str]] = {
    "null value": (None, "malformed", "the record has no value"),
    "not JSON": (b"hello", "malformed", "not JSON"),
    "an array": (b"[]", "malformed", "not a JSON object"),
    "NaN": (command("purchase_packs").replace(b"2}", b"NaN}"), "malformed", "NaN is no JSON number"),
    "invalid UTF-8": (command("purchase_packs").replace(b"admin", b"\xff"), "malformed", "not UTF-8"),
    "key twice": (command("purchase_packs").replace(b"{", b'{"packs": 1, '), "malformed", "'packs' occurs more than"),
    "nested too deep": (b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}", "malformed", "levels deep"),
    "2 MB": (b" " * 2_000_000, "too_large", "2000000 bytes"),
    "empty object": (b"{}", "invalid", "command_id: Field required; account_id: Field required"),
    "no command_id": (command("close_account", command_id=None), "invalid", "command_id: Input should be a valid"),
    "empty command_id": (command("close_account", command_id=""), "invalid", "command_id: String should have at least"),
    "300 characters": (command("close_account", command_id="k" * 300), "invalid", "command_id: String should have at"),
    "control character": (command("close_account", command_id="a\nb"), "invalid", "command_id: String should have no"),
    "no account_id": (command("close_account", account_id=[]), "invalid", "account_id: Input should be a valid string"),
    "half a surrogate pair": (command("close_account", account_id="\udc00"), "invalid", "account_id: Input should be"),
}


@pytest.mark.parametrize(("value", "reason", "words"), UNANSWERABLE.values(), ids=UNANSWERABLE)
def test_a_command_nobody_could_be_answered_for_is_a_dead_letter(value: bytes | None, reason: str, words: str) -> None:
    with pytest.raises(PoisonRecord) as raised:
        decode_command(value)

    assert raised.value.reason == reason
    assert words in str(raised.value)
