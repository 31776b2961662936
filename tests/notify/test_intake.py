"""Who is told of what: contacts from the alert or from the journal, each what it asked for (T7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from botmeter.contracts.catalogue import BALANCES, JOURNAL
from botmeter.contracts.topics import Topics
from botmeter.domain.announcements import Balance, BalanceCycle
from botmeter.domain.contacts import ContactDetails, Contacts
from botmeter.domain.events import ContactsSet, Event, TimerCause
from botmeter.domain.prices import DAY_MS
from botmeter.kafka.subscription import Place, Received
from botmeter.notify.database import open_database
from botmeter.notify.directory import Directory
from botmeter.notify.intake import HELD_MS, Intake
from botmeter.notify.listing import DeliveryFilter, find
from botmeter.notify.outbox import Outbox

from .notices import ALERTS, NOON_MS, alert, exhausted, opened, record, standing
from .test_outbox import PATIENCE, Clock

HANDOFFS = Place("botmeter.handoffs", 0)
JOURNALS = Place("botmeter.journal", 0)
BALANCE = Place("botmeter.balances", 0)
ENDPOINT = "https://acme.example/hook"


class Inlet:
    """An intake and the outbox behind it."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        endpoints: Sequence[str] = (),
        *,
        sends_mail: bool = True,
        max_age_ms: int = 10**12,
    ) -> None:
        self._engine = engine
        outbox = Outbox(engine, PATIENCE, clock)
        outbox.positions([ALERTS, HANDOFFS, JOURNALS, BALANCE], max_age_ms=max_age_ms)
        self._intake = Intake(outbox, Directory(engine), Topics.named(), endpoints, clock, sends_mail=sends_mail)
        self._offset = 0

    def take(self, *records: Received) -> set[Place]:
        """Which partitions are held back."""
        return self._intake.take(records).held

    def told(self) -> Counter[tuple[str, str]]:
        """Kind and recipient of every delivery."""
        return Counter((each["kind"], each["recipient"]) for each in find(self._engine, DeliveryFilter(limit=1_000)))

    def journal(self, event: Event) -> Received:
        self._offset += 1
        key = event.account_id.encode()
        return Received(JOURNALS, self._offset, NOON_MS, key, JOURNAL.encode(event), {})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened_database = open_database("", tmp_path / "notify.db")
    yield opened_database
    opened_database.dispose()


@pytest.fixture
def inlet(engine: Engine, clock: Clock) -> Inlet:
    return Inlet(engine, clock)


def contacts_set(contacts: Contacts, version: int) -> ContactsSet:
    return ContactsSet("northwind", version, NOON_MS, TimerCause(before_offset=0), contacts)


def handoff(kind: str, reason: str, offset: int = 0) -> Received:
    return record(standing(kind, reason), offset, HANDOFFS)


def balance(used: int, at: int, *, number: int = 3, **changed: Any) -> Received:
    """A balance of a cycle of 30 days, 1000 sessions."""
    cycle = BalanceCycle(number, "monthly", NOON_MS, NOON_MS + 30 * DAY_MS)
    fields = {"status": "active", "pool": "purchased", **changed}
    total, percent = 1000, used / 10
    made = Balance("northwind", used, NOON_MS + at, fields["status"], "growth", fields["pool"], total, used, total - used, percent, 1, 1, cycle)  # fmt: skip  # noqa: E501
    return Received(BALANCE, 0, NOON_MS, b"northwind", BALANCES.encode(made), {})


def test_each_contact_is_told_what_it_asked_for(inlet: Inlet) -> None:
    listed = [
        "all@x.example",
        {"email": "last@x.example", "alerts": ["sessions_exhausted"]},
        {"email": "none@x.example", "alerts": []},
        {"email": "ALL@x.example", "locale": "de"},
    ]
    inlet.take(record(alert(contacts=listed)), record(exhausted(contacts=listed), 1))

    assert inlet.told() == {
        ("threshold_reached", "all@x.example"): 1,
        ("sessions_exhausted", "all@x.example"): 1,
        ("sessions_exhausted", "last@x.example"): 1,
    }


def test_a_handoff_goes_to_those_the_journal_names_last(inlet: Inlet) -> None:
    old, new = ("old@x.example",), (ContactDetails("new@x.example", "Jo", "de"),)
    inlet.take(inlet.journal(opened(contacts=old)), inlet.journal(contacts_set(new, 5)))
    inlet.take(inlet.journal(contacts_set(old, 4)))  # read once more, by a member that lost the partition
    inlet.take(handoff("bot_resumed", "packs_purchased"))

    assert inlet.told() == {("bot_resumed", "new@x.example"): 1}


def test_a_handoff_waits_for_the_journal_and_so_does_what_follows_it(inlet: Inlet) -> None:
    first, second = handoff("bot_suspended", "no_sessions"), handoff("bot_resumed", "packs_purchased", 1)

    assert inlet.take(first, second, record(alert())) == {HANDOFFS}
    assert inlet.told() == {("threshold_reached", "maya@northwind.example"): 1}
    assert inlet.take(inlet.journal(opened(contacts=("jo@x.example",))), first) == set()
    assert inlet.told()["bot_suspended", "jo@x.example"] == 1


def test_an_account_that_the_journal_never_names_holds_nothing_up_for_long(inlet: Inlet, clock: Clock) -> None:
    waiting = handoff("bot_resumed", "packs_purchased")
    assert inlet.take(waiting) == {HANDOFFS}

    clock.now_ms += HELD_MS
    assert inlet.take(waiting) == set()
    assert inlet.told() == {}


def test_that_the_bot_stands_still_is_told_by_the_alert_and_by_webhook_but_not_by_a_second_mail(
    engine: Engine, clock: Clock
) -> None:
    inlet = Inlet(engine, clock, [ENDPOINT])
    inlet.take(inlet.journal(opened(contacts=("jo@x.example",))), handoff("bot_suspended", "sessions_exhausted"))

    assert inlet.told() == {("bot_suspended", ENDPOINT): 1}


def test_without_a_mail_server_only_endpoints_are_told(engine: Engine, clock: Clock) -> None:
    inlet = Inlet(engine, clock, [ENDPOINT], sends_mail=False)
    assert inlet.take(record(alert()), handoff("bot_resumed", "cycle_started")) == set()

    assert inlet.told() == {("threshold_reached", ENDPOINT): 1, ("bot_resumed", ENDPOINT): 1}


def test_a_single_chat_that_is_handed_off_is_no_news(inlet: Inlet) -> None:
    chat = {**standing("bot_suspended", "no_sessions"), "type": "chat_handed_off"}

    assert inlet.take(record(chat, 0, HANDOFFS)) == set()
    assert inlet.told() == {}


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"type":"threshold_reached"}', b"\xff", b'{"type":1}'])
def test_what_is_no_message_is_set_apart(inlet: Inlet, value: bytes | None) -> None:
    inlet.take(Received(ALERTS, 0, NOON_MS, b"x", value, {}), record(alert(), 1))

    assert inlet.told() == {("threshold_reached", "maya@northwind.example"): 1}


def test_sessions_that_will_not_last_are_told_once_a_cycle(engine: Engine, clock: Clock) -> None:
    contacts = (ContactDetails("all@x.example"), ContactDetails("no@x.example", alerts=("sessions_exhausted",)))
    for _ in range(2):  # and after a restart not again
        inlet = Inlet(engine, clock)
        inlet.take(inlet.journal(opened(contacts=contacts)))
        inlet.take(balance(500, 10 * DAY_MS), balance(600, 11 * DAY_MS))
        inlet.take(balance(700, 12 * DAY_MS), balance(500, 10 * DAY_MS, number=4))

    assert inlet.told() == {("projected", "all@x.example"): 2}


def test_on_the_first_start_an_old_balance_warns_nobody_and_the_next_one_does(engine: Engine, clock: Clock) -> None:
    clock.now_ms += 20 * DAY_MS
    inlet = Inlet(engine, clock, max_age_ms=DAY_MS)
    inlet.take(inlet.journal(opened(contacts=("jo@x.example",))), balance(500, 10 * DAY_MS))
    assert inlet.told() == {}

    inlet.take(balance(990, 20 * DAY_MS))
    assert inlet.told() == {("projected", "jo@x.example"): 1}


@pytest.mark.parametrize(
    "unworthy",
    [
        balance(330, 10 * DAY_MS),  # lasts
        balance(340, 10 * DAY_MS),  # ends within a day of the cycle
        balance(200, 2 * DAY_MS),  # too early to tell
        balance(1000, 10 * DAY_MS, status="exhausted"),
        balance(400, 10 * DAY_MS, pool="complimentary"),
    ],
)
def test_what_is_no_ground_to_warn_is_not_told(inlet: Inlet, unworthy: Received) -> None:
    inlet.take(inlet.journal(opened(contacts=("jo@x.example",))), unworthy)

    assert inlet.told() == {}
