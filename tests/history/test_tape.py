"""A tape of an account leads to its journal again, however much of its inputs is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.rescues import LossAccepted, RecordSkipped
from botmeter.contracts.rules import RulesHistory
from botmeter.contracts.topics import Topics
from botmeter.domain import commands as cmd
from botmeter.domain import events as ev
from botmeter.domain.naming import type_name
from botmeter.domain.sessions import Interaction
from botmeter.history.proof import first_difference
from botmeter.history.pseudonyms import Pseudonyms
from botmeter.history.tape import TapeLine, placed_skips, tape_of
from botmeter.replay.tape import TapeRecord
from domain.ledger import SMALL, Ledger
from domain.moves import Move, live, lives

TOPICS = Topics.named()
KEY = Pseudonyms(b"key of the tests")


@dataclass
class Recorder(Ledger):
    """A ledger that keeps the records of what it takes."""

    interactions: list[TapeRecord] = field(default_factory=list)
    commands: list[TapeRecord] = field(default_factory=list)

    def take_interaction(self, interaction: Interaction, at: int) -> None:
        value = {
            "event_id": f"e-{self.interactions_taken}",
            "account_id": self.account_id,
            "end_user_id": interaction.end_user_id,
            "bot_id": interaction.bot_id,
            "conversation_id": interaction.conversation_id,
            "widget": interaction.widget,
            "actor": interaction.actor,
            "preview": interaction.preview,
            "occurred_at": rfc3339(interaction.occurred_at),
            "text": "my name is Ann",
        }
        self.interactions.append(self._record("chat.interactions", self.interactions_taken, value, at))
        super().take_interaction(interaction, at)

    def take_command(self, command: cmd.Command, at: int) -> None:
        value = {each.name: getattr(command, each.name) for each in fields(command)}
        if isinstance(command, cmd.InvalidCommand):
            value |= {"packs": 0}
        else:
            value |= {"type": type_name(type(command))}
        if value.get("anchor") is not None:
            value["anchor"] = rfc3339(value["anchor"])
        self.commands.append(
            self._record("billing.commands", self.commands_taken, value | {"account_id": self.account_id}, at)
        )
        super().take_command(command, at)

    def _record(self, topic: str, offset: int, value: dict[str, Any], at: int) -> TapeRecord:
        return TapeRecord(topic, 0, offset, self.account_id.encode(), json.dumps(value).encode(), at, [])

    def tape(self, gone: float, pseudonyms: Pseudonyms | None = None) -> list[TapeLine]:
        """The tape when this share of each input is gone."""
        interactions = self.interactions[int(gone * len(self.interactions)) :]
        commands = self.commands[int(gone * len(self.commands)) :]
        return tape_of(self.journal, interactions, commands, TOPICS, pseudonyms)


def recorded(moves: list[Move]) -> Recorder:
    recorder = Recorder()
    live(moves, recorder)
    return recorder


def encoded(lines: list[TapeLine]) -> list[bytes]:
    return [line.encode() for line in lines]


@settings(max_examples=150)
@given(lives(), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_the_tape_leads_to_the_journal_whatever_is_gone(moves: list[Move], gone: float) -> None:
    recorder = recorded(moves)
    lines = encoded(recorder.tape(gone))

    assert first_difference(lines, recorder.journal, TOPICS, SMALL, partitions=1) is None


@settings(max_examples=50)
@given(lives(), st.sampled_from([0.0, 0.5, 1.0]))
def test_with_pseudonyms_it_leads_to_the_journal_with_pseudonyms(moves: list[Move], gone: float) -> None:
    recorder = recorded(moves)
    lines = encoded(recorder.tape(gone, KEY))
    wanted = [KEY.in_event(event) for event in recorder.journal]
    written = b"".join(lines)

    assert first_difference(lines, wanted, TOPICS, SMALL, partitions=1) is None
    assert not any(name.encode() in written for name in ('"u-1"', '"c-1"', "Ann"))


def test_the_difference_is_told_where_it_begins() -> None:
    recorder = recorded([])
    recorder.take_command(cmd.OpenAccount("k-1", "me", "growth", "monthly", None, "UTC", ("a@acme.example",)), 10**12)
    recorder.take_command(cmd.PurchasePacks("k-2", "me", 1), 10**12)
    lines = encoded(recorder.tape(gone=0.0))
    found = first_difference(lines[:1], recorder.journal, TOPICS, SMALL, partitions=1)

    assert found is not None
    assert found.version == recorder.journal[len(recorder.journal) - 3].version
    assert "the tape nothing more" in str(found)


def test_what_a_person_had_skipped_is_skipped_again() -> None:
    recorder = recorded([])
    recorder.take_command(cmd.OpenAccount("k-1", "me", "growth", "monthly", None, "UTC", ()), 10**12)
    before = recorder.commands[-1]
    of_a_chat = interaction_of(recorder, "u-bug")
    recorder.interactions.append(of_a_chat)
    recorder.commands.append(TapeRecord(before.topic(), 0, 1, before.key(), b"a bug", 10**12 + 1, []))
    at = {(of_a_chat.topic(), 0): "skipped by jane: a bug of Ann's", (before.topic(), 1): "skipped by jane: another"}
    for pseudonyms, why in ((None, at[of_a_chat.topic(), 0]), (KEY, "skipped")):
        lines = tape_of(recorder.journal, recorder.interactions, recorder.commands, TOPICS, pseudonyms, skipped=at)
        wanted = recorder.journal if pseudonyms is None else [pseudonyms.in_event(event) for event in recorder.journal]
        assert first_difference(encoded(lines), wanted, TOPICS, SMALL, partitions=1) is None
        assert lines[-1].fields["skipped"] == why
    unskipped = tape_of(recorder.journal, recorder.interactions, recorder.commands, TOPICS, None)
    assert first_difference(encoded(unskipped), recorder.journal, TOPICS, SMALL, partitions=1) is not None


def interaction_of(recorder: Recorder, end_user_id: str) -> TapeRecord:
    value = {
        "event_id": "e-0", "account_id": recorder.account_id, "end_user_id": end_user_id, "bot_id": "b-1",
        "conversation_id": "c-1", "widget": "conversations", "actor": "end_user", "preview": False,
        "occurred_at": rfc3339(10**12 + 2),
    }  # fmt: skip
    return TapeRecord(
        "chat.interactions", 0, 0, recorder.account_id.encode(), json.dumps(value).encode(), 10**12 + 2, []
    )


def test_skips_before_a_loss_are_those_that_were_not_decided_again() -> None:
    skips = [RecordSkipped(n, 0, "jane", "a bug", 0, "chat.interactions", 10 * n) for n in (1, 2)]
    loss = LossAccepted(3, 0, "jane", "gone", 0, 15, 0, ())

    assert [*placed_skips(RulesHistory([*skips, loss], SMALL), 0, TOPICS)] == [("chat.interactions", 10)]


def test_a_pseudonym_is_the_same_for_the_same_key_alone() -> None:
    assert KEY.of("user", "u-1") == Pseudonyms(b"key of the tests").of("user", "u-1")
    assert KEY.of("user", "u-1") != Pseudonyms(b"another key").of("user", "u-1")
    assert KEY.of("user", "u-1") != KEY.of("chat", "u-1")


def test_a_value_that_cannot_be_read_is_left_out_under_pseudonyms() -> None:
    strange = TapeRecord("chat.interactions", 0, 0, b"acme", b"Ann said {", 10**12, [])
    opening = ev.AccountOpened(
        "acme", 1, 10**12, ev.CommandCause("billing.commands", 0, 0, "k-1", 0), "free", "monthly", 10**12, "UTC",
        (), (80,), 10**12, 10**12 + 1,
    )  # fmt: skip
    lines = tape_of([opening], [strange], [], TOPICS, KEY)

    assert not any(b"Ann" in line.encode() for line in lines)
    assert any(b"Ann said {" in line.encode() for line in tape_of([opening], [strange], [], TOPICS, None))
