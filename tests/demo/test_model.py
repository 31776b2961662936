"""The model of the live view: what the output records of a worker come to."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts.catalogue import ALERTS
from botmeter.demo.inbox import Arrival
from botmeter.demo.model import Happening, Model, Sample, in_order, percentile
from verification.written import NOW_MS, TOPICS, Written, some_traffic

OUTPUTS = (
    TOPICS.journal,
    TOPICS.balances,
    TOPICS.alerts,
    TOPICS.handoffs,
    TOPICS.command_results,
    TOPICS.dead_letters,
)


@pytest.fixture(scope="module")
def written() -> Written:
    return some_traffic()


@pytest.fixture(scope="module")
def model(written: Written) -> Model:
    """After all outputs, each received 30 ms after its time."""
    model = Model(TOPICS)
    for topic in OUTPUTS:
        for record in written.all(topic.name):
            model.take(record, record.timestamp()[1] + 30)
    return model


def values(written: Written, topic: str, type_: str) -> list[dict[str, object]]:
    found = [json.loads(record.value() or b"") for record in written.all(topic)]
    return [value for value in found if value["type"] == type_]


def test_every_account_has_its_latest_balance(model: Model, written: Written) -> None:
    latest = {value["account_id"]: value for value in values(written, TOPICS.balances.name, "balance")}

    assert {id_: (b.version, b.used, b.total) for id_, b in model.balances.items()} == {
        id_: (value["version"], value["used"], value["total"]) for id_, value in latest.items()
    }


def test_sessions_chats_alerts_answers_and_dead_letters_are_counted(model: Model, written: Written) -> None:
    assert model.sessions == len(values(written, TOPICS.journal.name, "session_started")) > 0
    assert model.handed_off.total() == len(values(written, TOPICS.handoffs.name, "chat_handed_off")) > 0
    assert model.alerted["threshold_reached"] == len(values(written, TOPICS.alerts.name, "threshold_reached")) > 0
    assert model.results == len(written.all(TOPICS.command_results.name))
    assert model.dead_letters.total() == len(written.all(TOPICS.dead_letters.name)) > 0


def test_latency_counts_from_the_brokers_time_of_the_interaction(model: Model) -> None:
    assert set(model.latencies_ms) == {30}
    assert model.latency_ms(50) == model.latency_ms(99) == 30


def test_the_billing_side_is_told_who_used_all_sessions(model: Model, written: Written) -> None:
    exhausted = [value["account_id"] for value in values(written, TOPICS.alerts.name, "sessions_exhausted")]

    assert list(model.used_up) == exhausted


def test_a_feed_tells_things_in_the_order_of_the_journal(written: Written) -> None:
    """Also when the topics are read in the other order."""
    model = Model(TOPICS)
    for topic in (TOPICS.handoffs, TOPICS.alerts, TOPICS.journal):
        for record in written.all(topic.name):
            model.take(record, received_at=NOW_MS)

    of_acme = [line.text.partition(":")[0] for line in in_order(model.alerts) if line.account_id == "acme"]
    assert of_acme[:3] == ["bots suspended", "bought 1 pack for 100.00 USD", "bots resumed"]


def test_the_alert_comes_before_the_suspension_that_follows_from_it() -> None:
    suspended = Happening(NOW_MS, "acme", 5, "bots suspended", rank=1)
    used_up = Happening(NOW_MS, "acme", 5, "all used")

    assert in_order([suspended, used_up]) == [used_up, suspended]


def test_rates_are_those_of_the_last_samples() -> None:
    model = Model(TOPICS)
    assert model.rates() == (0.0, 0.0)
    for second in range(20):
        model.take_sample(Sample(float(second), sent=second * 100, metered=second * 90))

    assert model.rates() == (100.0, 90.0)


@given(numbers=st.lists(st.integers(), min_size=1), percent=st.integers(0, 100))
def test_a_percentile_is_one_of_the_numbers_with_so_many_below(numbers: list[int], percent: int) -> None:
    found = percentile(sorted(numbers), percent)

    assert found in numbers
    assert sum(number < found for number in numbers) <= len(numbers) * percent / 100


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 50) is None


def test_the_way_from_chat_to_mailbox_is_measured_whichever_is_read_first(written: Written) -> None:
    model = Model(TOPICS)
    record = written.all(TOPICS.alerts.name)[0]
    alert = ALERTS.decode(record.value())
    mail = Arrival("email", alert.at + 700, f"alert/{alert.account_id}/{alert.version}", "a@x.example", "x: used", "")
    call = Arrival("webhook", alert.at + 600, mail.notice_id, "acme", "botmeter.threshold_reached", "{}")
    model.take_arrivals([mail, call])
    assert (model.mail_latencies_ms, model.unmailed_count()) == ([], 0)

    model.take(record, alert.at + 30)
    assert model.unmailed_count() == 1
    model.take_arrivals([])
    assert (model.mail_latencies_ms, model.unmailed_count()) == ([700], 0)
    assert model.arrived == {"email": 1, "webhook": 1}
    assert [line.text for line in model.mails] == ["used"]
