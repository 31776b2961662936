"""What the client refuses before anything is sent, and that what it sends is what the worker's decoder reads."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from datetime import UTC, datetime

import pytest

import botmeter.client
from botmeter import client
from botmeter.client.connection import Connection
from botmeter.contracts import catalogue
from botmeter.contracts.decoding import decode_command, decode_interaction
from botmeter.contracts.instants import millis
from botmeter.domain import commands as cmd
from botmeter.errors import ConfigurationError

MODULES = [module.name for module in pkgutil.iter_modules(botmeter.client.__path__, "botmeter.client.")]

COMMANDS = [message.example for message in catalogue.COMMANDS.messages]
INTERACTION = catalogue.INTERACTIONS.messages[0].example


@pytest.mark.parametrize("name", ["botmeter.client", *MODULES])
def test_the_examples_in_the_docstrings_are_true(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)

    assert failed == 0


@pytest.mark.parametrize("fields", COMMANDS, ids=lambda fields: str(fields["type"]))
def test_every_command_of_the_contract_comes_through_unchanged(fields: dict[str, object]) -> None:
    sent = catalogue.COMMANDS.encode(client.as_command(fields))

    account_id, command = decode_command(sent)
    assert account_id == fields["account_id"]
    assert not isinstance(command, cmd.InvalidCommand)
    assert command.command_id == fields["command_id"]


def test_an_interaction_comes_through_unchanged() -> None:
    sent = catalogue.INTERACTIONS.encode(client.as_interaction(INTERACTION))

    read = decode_interaction(sent)
    assert (read.event_id, read.account_id, read.bot_id) == ("e-1", "acme", "b-1")


def test_an_interaction_happens_now_in_a_session_of_nobody_else_unless_said_otherwise() -> None:
    first, second = (
        client.interaction("acme", end_user_id="u", conversation_id="c", bot_id="b") for _ in range(2)
    )  # fmt: skip

    assert first.event_id != second.event_id
    assert first.occurred_at <= second.occurred_at <= datetime.now(UTC)


def test_functions_make_the_commands_that_their_names_say() -> None:
    opened = client.open_account("acme", plan="growth", issued_by="crm", anchor=datetime(2026, 11, 1, tzinfo=UTC))
    _, read = decode_command(catalogue.COMMANDS.encode(opened))

    assert isinstance(read, cmd.OpenAccount)
    assert read.anchor == millis(datetime(2026, 11, 1, tzinfo=UTC))
    assert client.purchase_packs("acme", packs=2, issued_by="crm").packs == 2
    assert client.set_thresholds("acme", percents=[95, 50], issued_by="crm").percents == [50, 95]
    assert client.close_account("acme", issued_by="crm").command_id != ""


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: client.purchase_packs("", packs=1, issued_by="crm"), "account_id: String should have at least 1"),
        (lambda: client.open_account("a", plan="gold", issued_by="crm"), "plan: Input should be 'free'"),  # type: ignore[arg-type]
        (lambda: client.open_account("a", plan="pro", issued_by="crm", time_zone="Mars"), "time_zone: .* IANA"),
        (lambda: client.as_command({"type": "dance"}), "dance"),
        (lambda: client.as_interaction({}), "event_id: Field required"),
        (
            lambda: client.open_account("a", plan="pro", issued_by="crm", anchor=datetime(2026, 1, 1)),  # noqa: DTZ001
            "2026-01-01T00:00:00 has no offset",
        ),
    ],
)
def test_what_does_not_fit_the_contract_is_refused_with_the_field(make: object, line: str) -> None:
    assert callable(make)
    with pytest.raises(client.InvalidMessage, match=line):
        make()


@pytest.mark.parametrize("option", ["partitioner", "acks", "isolation.level", "group.id", "bootstrap.servers"])
def test_options_that_would_break_the_contract_are_refused(option: str) -> None:
    with pytest.raises(ConfigurationError, match=option):
        Connection(options={option: "x"})


def test_a_connection_shows_no_secret() -> None:
    connection = Connection(options={"sasl.password": "hunter2", "sasl.username": "botmeter"})

    assert "hunter2" not in repr(connection)
    assert "sasl.username" in repr(connection)
