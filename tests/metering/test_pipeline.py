"""What one record comes to, to the letter: its outputs with their headers and times, its cause."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from botmeter.contracts.catalogue import ALERTS, BALANCES, COMMAND_RESULTS, HANDOFFS
from botmeter.contracts.cloudevents import read_dead_letter
from botmeter.contracts.encoding import decode_event
from botmeter.contracts.instants import rfc3339
from botmeter.domain import events as ev
from botmeter.domain.announcements import Accepted
from botmeter.domain.events import CommandCause, Event, InteractionCause, TimerCause
from botmeter.domain.prices import DAY_MS, HOUR_MS, Money, PriceBook, Rules
from botmeter.domain.sessions import session_id
from botmeter.errors import PartitionRefused
from botmeter.metering.pipeline import Decided, Meter
from botmeter.metering.records import Header, Output
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore, StoreUpdate
from botmeter.metering.windows import window_key
from botmeter.replay.tape import TapeRecord
from domain.ledger import APRIL, MARCH, NOON

from .partition_inputs import COMMANDS, INTERACTIONS, MISPLACED, PARTITION, PARTITIONS, TOPICS, Item
from .test_split import MARK, decide

#: An hour before the first cycle ends.
EVE: Final = APRIL - HOUR_MS
SMALL: Final = Rules(prices=PriceBook(pack_sessions=10, pack_price_minor=100, complimentary_sessions=5))
TRACE: Final = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Partition:
    """A partition that is fed batch by batch; each is in the store before the next one is taken, as when it is slow."""

    def __init__(self, *, rules: Rules = SMALL, partitions: int | None = PARTITIONS, cache_windows: int = 100) -> None:
        self.store = MemoryStore()
        self.state = PartitionState(self.store, rules, cache_windows)
        self.meter = Meter(PARTITION, partitions, self.state, TOPICS, rules, next_offset=0)

    def take(self, *batch: Item) -> Decided:
        decided = decide(self.meter, batch)
        self.store.write(StoreUpdate({}, decided.changes.windows, decided.changes.chats, MARK))
        return decided


def chat(offset: int, at: int, user: str = "u-1", *, headers: Sequence[Header] = (), **fields: Any) -> TapeRecord:
    """An interaction of acme's, received as it occurs."""
    message = {
        "event_id": f"e-{offset}", "account_id": "acme", "end_user_id": user, "bot_id": "b-1", "conversation_id": "c-1",
        "widget": "conversations", "actor": "end_user", "occurred_at": rfc3339(at), **fields,
    }  # fmt: skip
    value = json.dumps(message).encode()
    return TapeRecord(INTERACTIONS, PARTITION, offset, b"acme", value, at, [*headers])


def ask(offset: int, at: int, type_: str, *, headers: Sequence[Header] = (), **fields: Any) -> TapeRecord:
    """A command to acme."""
    message = {"type": type_, "command_id": f"k-{offset}", "account_id": "acme", "issued_by": "tester", **fields}
    return TapeRecord(COMMANDS, PARTITION, offset, b"acme", json.dumps(message).encode(), at, [*headers])


def opening(plan: str = "growth") -> TapeRecord:
    """Opens acme at noon of 10 March, in a cycle that ends with the month."""
    terms: dict[str, Any] = {"plan": plan, "billing_cycle": "monthly", "anchor": rfc3339(MARCH)}
    return ask(0, NOON, "open_account", **terms)


def journal(decided: Decided) -> list[Event]:
    return [decode_event(output.value or b"") for output in of(decided, TOPICS.journal.name)]


def of(decided: Decided, topic: str) -> list[Output]:
    return [output for output in decided.outputs if output.topic == topic]


def opened(**how: Any) -> Partition:
    partition = Partition(**how)
    partition.take(opening())
    return partition


# --- To the letter ---------------------------------------------------------------------------------------------------


def test_a_batch_has_the_states_that_it_changed_and_no_others() -> None:
    partition = opened()
    first, second = partition.take(chat(0, NOON, "u-1")), partition.take(chat(1, NOON, "u-2"))

    windows = [window_key("acme", user, False) for user in ("u-1", "u-2")]
    assert [*first.changes.windows, *second.changes.windows] == windows
    assert [account.allowance.used for each in (first, second) for account in each.changes.accounts.values()] == [1, 2]
    assert partition.take().changes.accounts == {}


@pytest.mark.parametrize(
    "headers", [[("traceparent", TRACE)], [("tracestate", b"x")], []], ids=["traced", "other", "no"]
)
@pytest.mark.parametrize("preview", [False, True], ids=["the short way", "the general way"])
def test_j3_a_session_start_is_one_journal_record_with_its_cause_its_time_and_its_trace(
    preview: bool,  # noqa: FBT001
    headers: list[Header],
) -> None:
    at, kept = NOON + HOUR_MS, [header for header in headers if header[0] == "traceparent"]
    decided = opened().take(chat(7, at, headers=headers, preview=preview, occurred_at=rfc3339(NOON)))

    [start], [balance] = of(decided, TOPICS.journal.name), of(decided, TOPICS.balances.name)
    assert start == Output(TOPICS.journal.name, b"acme", start.value, kept, at)
    assert decode_event(start.value or b"") == ev.SessionStarted(
        "acme", 4, at, InteractionCause(INTERACTIONS, PARTITION, 7, "e-7"),
        session_id=session_id("acme", "u-1", preview, NOON), end_user_id="u-1", preview=preview, started_at=NOON,
        ends_at=NOON + DAY_MS, cycle_number=1, pool="complimentary", used=1, bot_id="b-1", conversation_id="c-1",
        widget="conversations",
    )  # fmt: skip
    told = BALANCES.decode(balance.value or b"")
    assert (told.version, told.at, told.used) == (4, at, 1)
    assert [*balance.headers] == BALANCES.headers(told, kept[0][1] if kept else None)
    assert balance.timestamp is None
    assert len(decided.outputs) == 2
    assert decided.changes.accounts.keys() == {b"acme"}


@pytest.mark.parametrize("name", ['u-"1"', "u\\1", "ü-1", "u-😀"])
def test_j1_ids_that_json_escapes_are_in_the_journal_as_they_came(name: str) -> None:
    """Such a session start, too, is counted by the next one."""
    decided = opened().take(
        chat(7, NOON, name, bot_id=name, conversation_id=name, event_id=name), chat(8, NOON, "another")
    )

    first, second = journal(decided)
    assert isinstance(first, ev.SessionStarted)
    assert isinstance(second, ev.SessionStarted)
    assert first.cause == InteractionCause(INTERACTIONS, PARTITION, 7, name)
    assert (first.end_user_id, first.bot_id, first.conversation_id) == (name, name, name)
    assert (first.used, second.used) == (1, 2)


def test_j3_a_command_names_its_record_and_its_answer_and_all_else_carry_its_trace() -> None:
    partition = opened()
    decided = partition.take(ask(9, NOON, "purchase_packs", packs=1, headers=[("traceparent", TRACE)]))

    cause = CommandCause(COMMANDS, PARTITION, 9, "k-9", 0)
    assert {event.cause for event in journal(decided)} == {cause}
    assert all(("traceparent", TRACE) in output.headers for output in decided.outputs)
    assert all(output.key == b"acme" for output in decided.outputs)
    [result] = of(decided, TOPICS.command_results.name)
    answer = COMMAND_RESULTS.decode(result.value or b"")
    assert isinstance(answer, Accepted)
    assert (answer.account_id, answer.version, answer.charge) == ("acme", 6, Money(100, "USD"))
    assert dict(result.headers)["ce_id"] == f"result/{COMMANDS}/{PARTITION}/9".encode()
    assert decided.counts == {"command": 1}


def test_t1_t3_what_an_interaction_announces_comes_with_it_and_carries_its_trace() -> None:
    partition = opened()
    decided = partition.take(
        *(chat(n, NOON, f"u-{n}", conversation_id=f"c-{n}", headers=[("traceparent", TRACE)]) for n in range(6))
    )

    alerts, handoffs = of(decided, TOPICS.alerts.name), of(decided, TOPICS.handoffs.name)
    told = [ALERTS.decode(output.value or b"") for output in alerts]
    assert [(alert.percent, alert.used) for alert in told] == [(80, 4), (100, 5)]
    assert [HANDOFFS.decode(output.value or b"").type for output in handoffs] == ["bot_suspended", "chat_handed_off"]
    assert all(("traceparent", TRACE) in output.headers for output in [*alerts, *handoffs])
    assert all(output.key == b"acme" for output in decided.outputs)


def test_a12_the_timer_names_itself_and_has_no_trace() -> None:
    partition = opened()
    partition.take(chat(4, EVE, headers=[("traceparent", TRACE)]))
    decided = partition.take(APRIL + HOUR_MS)

    [event] = journal(decided)
    assert (type(event), event.at, event.cause) == (ev.CycleStarted, APRIL, TimerCause(before_offset=5))
    assert not any(name == "traceparent" for output in decided.outputs for name, _ in output.headers)


def test_a12_the_timer_rolls_no_more_accounts_than_asked_and_tells_of_how_many() -> None:
    partition = Partition(partitions=None)
    for number, account_id in enumerate(("a", "b", "c")):
        terms: dict[str, Any] = {
            "plan": "growth",
            "billing_cycle": "monthly",
            "anchor": rfc3339(MARCH),
            "account_id": account_id,
        }
        command = ask(number, NOON, "open_account", **terms)
        partition.take(TapeRecord(COMMANDS, PARTITION, number, account_id.encode(), command.value(), NOON, []))

    with partition.meter.batch():
        assert [partition.meter.tick(APRIL - 1), partition.meter.tick(APRIL, 2), partition.meter.tick(APRIL)] == [
            0,
            2,
            1,
        ]


# --- Places in the log -----------------------------------------------------------------------------------------------


def test_j4_a_command_says_before_which_interaction_it_was_taken_also_after_one_that_was_skipped() -> None:
    partition = opened()
    partition.meter.skipped = {(INTERACTIONS, 1): "by jane"}
    thresholds = ask(1, NOON, "set_thresholds", percents=[50])
    decided = partition.take(
        chat(0, NOON), chat(1, NOON), thresholds, chat(2, NOON), ask(2, NOON, "set_contacts", contacts=[])
    )

    causes = [event.cause for event in journal(decided)]
    befores = [cause.before_offset for cause in causes if isinstance(cause, CommandCause)]
    assert befores == [2, 2, 3, 3]  # each with its `command_handled`
    assert partition.meter.next_offset == 3


def test_a_command_that_is_skipped_is_a_dead_letter_and_the_next_one_is_taken() -> None:
    partition = opened()
    partition.meter.skipped = {(COMMANDS, 1): "by jane"}
    decided = partition.take(ask(1, NOON, "close_account"), ask(2, NOON, "set_contacts", contacts=[]))

    [letter] = of(decided, TOPICS.dead_letters.name)
    told = read_dead_letter([*letter.headers])
    assert (told.reason, told.message, told.place) == ("skipped", "by jane", (COMMANDS, PARTITION, 1))
    assert decided.counts == {"skipped": 1, "command": 1}


def test_the_streams_time_is_the_highest_of_both_inputs() -> None:
    assert Partition().state.stream_time == 0

    partition = opened()
    seen = [partition.state.stream_time]
    for item in (chat(0, NOON + 2), chat(1, NOON + 1), ask(1, NOON + 1, "set_contacts", contacts=[]),
                 ask(2, NOON + 3, "set_contacts", contacts=[]), chat(2, NOON + 4)):  # fmt: skip
        partition.take(item)
        seen.append(partition.state.stream_time - NOON)

    assert seen == [NOON, 2, 2, 2, 3, 4]


class Unstamped(TapeRecord):
    """A record that carries its producer's time."""

    __slots__ = ()

    def timestamp(self) -> tuple[int, int]:
        return 1, NOON


@pytest.mark.parametrize("topic", [INTERACTIONS, COMMANDS])
def test_s7_c3_a_record_without_the_brokers_time_is_refused_by_its_place(topic: str) -> None:
    like = chat(5, NOON) if topic == INTERACTIONS else ask(5, NOON, "close_account")
    record = Unstamped(topic, PARTITION, 5, b"acme", like.value(), NOON, [])

    with pytest.raises(PartitionRefused) as refused:
        opened().take(record)
    assert str(refused.value) == (
        f"{topic}, partition 0, offset 5: the record carries its producer's time; "
        "set message.timestamp.type=LogAppendTime for the topic (botmeter topics create --fix)"
    )


@pytest.mark.parametrize(
    ("key", "account_id", "reason", "message", "subject"),
    [
        (None, "acme", "wrong_key", "the record has no key", b"acme"),
        (b"", "acme", "wrong_key", "the record has no key", b"acme"),
        (b"initech", "acme", "wrong_key", "the record's key is not its account_id", b"acme"),
        (
            MISPLACED.encode(), MISPLACED, "wrong_partition", "records of this account belong on partition 1",
            MISPLACED.encode(),
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("topic", [INTERACTIONS, COMMANDS])
def test_a_record_in_a_wrong_place_is_a_dead_letter_that_says_why(
    topic: str, key: bytes | None, account_id: str, reason: str, message: str, subject: bytes
) -> None:
    fields: dict[str, Any] = {"account_id": account_id}
    like = chat(3, NOON, **fields) if topic == INTERACTIONS else ask(3, NOON, "close_account", **fields)
    decided = opened().take(TapeRecord(topic, PARTITION, 3, key, like.value(), NOON, []))

    [letter] = decided.outputs
    told = read_dead_letter([*letter.headers])
    assert (told.reason, told.message, told.place) == (reason, message, (topic, PARTITION, 3))
    assert (letter.topic, letter.key, letter.value) == (TOPICS.dead_letters.name, key, like.value())
    assert dict(letter.headers)["ce_subject"] == subject


def test_without_a_number_of_partitions_every_account_is_at_home() -> None:
    like = chat(0, NOON, account_id=MISPLACED)
    partition = Partition(partitions=None)
    decided = partition.take(TapeRecord(INTERACTIONS, PARTITION, 0, MISPLACED.encode(), like.value(), NOON, []))

    assert decided.counts["unknown_account"] == 1


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        ({"occurred_at": rfc3339(NOON + HOUR_MS)}, "in_future", "further ahead"),
        ({"occurred_at": rfc3339(NOON - 3 * DAY_MS)}, "too_late", "further behind"),
        ({"account_id": "unheard"}, "unknown_account", "no account of this id"),
    ],
)
def test_s7_an_interaction_that_does_not_count_is_a_dead_letter_that_says_why(
    fields: dict[str, Any], reason: str, message: str
) -> None:
    account_id = str(fields.get("account_id", "acme"))
    like = chat(3, NOON, **fields)
    partition = opened(partitions=None)
    records = [TapeRecord(INTERACTIONS, PARTITION, n, account_id.encode(), like.value(), NOON, []) for n in (3, 4)]
    decided = partition.take(*records)

    letter, _ = decided.outputs
    told = read_dead_letter([*letter.headers])
    assert told.reason == reason
    assert message in told.message
    assert +decided.counts == {reason: 2}
