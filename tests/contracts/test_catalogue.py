"""The catalogue: each message has all that there is to say of it, and is read as it was written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts import catalogue
from botmeter.contracts.catalogue import Channel, Message
from botmeter.contracts.cloudevents import Place, dead_letter_headers
from botmeter.contracts.codec import message_type, type_in
from botmeter.contracts.delivery import Delivery
from botmeter.contracts.headers import OutputHeaders
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account
from botmeter.domain.announcements import Accepted, Alert, Announcement, Balance, BalanceCycle, Rejected, balance_of
from botmeter.domain.commands import InvalidCommand

from .strategies import accounts, announcements, ids, instances

AT = 1_795_428_000_000  # 2026-11-23 10:00 UTC
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#: Topics whose values are encoded and decoded by one codec.
WRITTEN = (
    catalogue.JOURNAL,
    catalogue.BALANCES,
    catalogue.ALERTS,
    catalogue.HANDOFFS,
    catalogue.COMMAND_RESULTS,
    catalogue.DELIVERIES,
    catalogue.RULES,
)
ROWS = [message for channel in catalogue.CHANNELS for message in channel.messages]
EXAMPLES = [(channel, message) for channel in WRITTEN for message in channel.messages]


def test_every_topic_has_a_row() -> None:
    assert [channel.topic_of(Topics.named()) for channel in catalogue.CHANNELS] == list(Topics.named().all())


def test_a_message_is_in_one_row() -> None:
    names = [(message.topic, message.type) for message in ROWS]

    assert len(names) == len(set(names)) == 47


def test_every_message_has_a_name_of_its_own() -> None:
    names = [message.name for message in ROWS]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("message", ROWS, ids=[f"{row.topic}/{row.type}" for row in ROWS])
def test_every_example_is_what_its_model_says(message: Message) -> None:
    message.model.model_validate(message.example)


@pytest.mark.parametrize(("channel", "row"), EXAMPLES, ids=[f"{row.topic}/{row.type}" for _, row in EXAMPLES])
def test_what_is_written_is_read_by_the_same_row(channel: Channel[Any, Any], row: Message) -> None:
    value = json.dumps(row.example).encode()

    message = channel.decode(value)

    assert message_type(message) == type_in(value) == row.type
    assert json.loads(channel.encode(message)) == row.example


@given(accounts, st.integers(0, AT))
@settings(deadline=None)
def test_a_balance_comes_back_as_it_was(account: Account, at: int) -> None:
    balance = balance_of(account, at)

    assert catalogue.BALANCES.decode(catalogue.BALANCES.encode(balance)) == balance


@given(announcements)
@settings(deadline=None)
def test_alerts_and_handoffs_come_back_as_they_were(announcement: Announcement) -> None:
    if isinstance(announcement, Alert):
        assert catalogue.ALERTS.decode(catalogue.ALERTS.encode(announcement)) == announcement
    else:
        assert catalogue.HANDOFFS.decode(catalogue.HANDOFFS.encode(announcement)) == announcement


@given(instances(Accepted) | instances(Rejected))
@settings(deadline=None)
def test_answers_come_back_as_they_were(answer: Accepted | Rejected) -> None:
    assert catalogue.COMMAND_RESULTS.decode(catalogue.COMMAND_RESULTS.encode(answer)) == answer


@given(instances(Delivery))
@settings(deadline=None)
def test_deliveries_come_back_as_they_were(delivery: Delivery) -> None:
    assert catalogue.DELIVERIES.decode(catalogue.DELIVERIES.encode(delivery)) == delivery


def test_a_command_is_written_by_its_model_and_read_as_the_domains() -> None:
    for row in catalogue.COMMANDS.messages:
        value = catalogue.COMMANDS.encode(row.model.model_validate(row.example))

        account_id, command = catalogue.COMMANDS.decode(value)

        assert account_id == "acme"
        assert not isinstance(command, InvalidCommand)
        assert message_type(command) == row.type


def test_an_interaction_is_written_by_its_model_and_read() -> None:
    row = catalogue.INTERACTIONS.messages[0]

    read = catalogue.INTERACTIONS.decode(catalogue.INTERACTIONS.encode(row.model.model_validate(row.example)))

    assert (read.event_id, read.account_id, read.preview) == ("e-1", "acme", False)


def balance(account_id: str = "acme", version: int = 7) -> Balance:
    cycle = BalanceCycle(1, "monthly", 0, 1)
    return Balance(account_id, version, AT, "active", "growth", "none", 0, 0, 0, 0.0, 0, 0, cycle)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{}", b"\xff", b'{"type":"balance"}', b'{"type":"mood"}'])
@pytest.mark.parametrize("channel", WRITTEN, ids=[channel.topic for channel in WRITTEN])
def test_what_is_no_message_of_a_topic_is_refused(channel: Channel[Any, Any], value: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"^not an? "):
        channel.decode(value)


# --- Headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [catalogue.JOURNAL, catalogue.SNAPSHOTS], ids=["journal", "snapshots"])
def test_journal_and_snapshots_carry_nothing_but_the_trace(channel: Channel[Any, Any]) -> None:
    assert channel.headers(balance(), None) == []
    assert channel.headers(balance(), TRACE) == [("traceparent", TRACE)]


def test_the_other_outputs_carry_cloudevents_headers() -> None:
    headers = catalogue.BALANCES.headers(balance(), TRACE)

    OutputHeaders.model_validate({name: value.decode() for name, value in headers})
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"balance/acme/7",
        "ce_source": b"/botmeter",
        "ce_type": b"botmeter.balance.v1",
        "ce_subject": b"acme",
        "ce_time": b"2026-11-23T10:00:00.000Z",
        "content-type": b"application/json",
        "traceparent": TRACE,
    }


def test_an_answer_is_named_after_the_place_of_its_command() -> None:
    """The same command sent again is answered again, so the command's id would not do."""
    answer = Accepted("k-1", "acme", 7, AT)

    headers = dict(catalogue.COMMAND_RESULTS.headers(answer, None, Place("billing.commands", 3, 17)))

    assert headers["ce_id"] == b"result/billing.commands/3/17"
    assert headers["ce_type"] == b"botmeter.accepted.v1"


def ce_ids(account_id: str, version: int) -> list[bytes]:
    """Of one of each message with CloudEvents headers."""
    told = balance(account_id, version)
    delivery = Delivery(account_id, "acme", AT, "a", "email", "r", "sent", version, None)
    place = Place(account_id, 0, version)
    letter = dead_letter_headers(
        None,
        subject=None,
        reason="invalid",
        message="",
        topic=account_id,
        partition=0,
        offset=version,
        at=AT,
        is_truncated=False,
    )
    every: list[Sequence[tuple[str, bytes | None]]] = [
        catalogue.BALANCES.headers(told, None),
        catalogue.ALERTS.headers(told, None),
        catalogue.HANDOFFS.headers(told, None),
        catalogue.COMMAND_RESULTS.headers(told, None, place),
        catalogue.DELIVERIES.headers(delivery, None),
        letter,
    ]
    return [value or b"" for headers in every for name, value in headers if name == "ce_id"]


@given(st.lists(st.tuples(ids, st.integers(1, 10**6)), min_size=2, max_size=2, unique=True))
def test_ids_differ_whenever_what_they_name_differs(pair: list[tuple[str, int]]) -> None:
    made = [id_ for account_id, version in pair for id_ in ce_ids(account_id, version)]

    assert len(set(made)) == len(made) == 12


def test_a_slash_in_an_account_does_not_make_two_ids_one() -> None:
    assert not {*ce_ids("a", 11)} & {*ce_ids("a/1", 1)}
