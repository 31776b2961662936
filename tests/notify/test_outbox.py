"""The outbox on both databases: nothing is told twice, nothing is lost, and what may be double is marked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select

from botmeter.errors import ConfigurationError
from botmeter.kafka.subscription import Place
from botmeter.notify.database import open_database, reading
from botmeter.notify.listing import DeliveryFilter, find
from botmeter.notify.outbox import Claim, ClaimLost, Outbox
from botmeter.notify.outcomes import Accepted, NotAccepted, Refused, Unanswered
from botmeter.notify.recipients import Recipient
from botmeter.notify.schedule import RetryPolicy
from botmeter.notify.tables import METADATA, VERSION_TABLE, reports

from .notices import ALERTS, NOON_MS, told

PATIENCE = RetryPolicy(
    retry_ms=1_000, retry_max_ms=60_000, give_up_ms=600_000, repeat_ms=5_000, repeats_max=1, claim_ms=10_000
)
TAKEN = Accepted("250 OK")
MINUTE_MS = 60_000


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(database_url: str, tmp_path: Any) -> Iterator[Engine]:
    opened = open_database(database_url, tmp_path / "unused.db")
    yield opened
    opened.dispose()


@pytest.fixture
def outbox(engine: Engine, clock: Clock) -> Outbox:
    made = Outbox(engine, PATIENCE, clock)
    made.positions([ALERTS], max_age_ms=MINUTE_MS)
    return made


def states(engine: Engine) -> dict[str, int]:
    return dict(Counter(each["state"] for each in find(engine, DeliveryFilter(limit=1_000))))


def only(engine: Engine) -> dict[str, Any]:
    [delivery] = find(engine, DeliveryFilter())
    return delivery


def claimed(outbox: Outbox) -> Claim:
    claim = outbox.claim("email")
    assert claim is not None
    return claim


def reported(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        bodies = connection.execute(select(reports.c.body).order_by(reports.c.number)).scalars().all()
    return [json.loads(body)["state"] for body in bodies]


def test_the_migrations_make_the_tables_that_the_code_expects(engine: Engine) -> None:
    def is_ours(name: str | None, type_: str, parents: Any) -> bool:
        del parents
        return type_ != "table" or name != VERSION_TABLE

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_ours})

        assert compare_metadata(context, METADATA) == []


def test_a_database_that_is_there_is_opened_again(engine: Engine, database_url: str, tmp_path: Any) -> None:
    open_database(database_url, tmp_path / "unused.db").dispose()

    assert states(engine) == {}


def test_a_database_that_cannot_be_reached_is_one_line(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="BOTMETER_NOTIFY_DATABASE_URL") as refused:
        open_database("postgresql+psycopg://u:secret@127.0.0.1:1/x", tmp_path / "unused.db")

    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_notice_is_told_to_each_recipient_once_however_often_it_is_read(outbox: Outbox, engine: Engine) -> None:
    both = told(41, Recipient("email", "a@x.example"), Recipient("webhook", "https://x.example/hook"))

    assert outbox.record([both, both], [], {ALERTS: 1}) == 2
    assert outbox.record([both], [], {ALERTS: 1}) == 0
    assert states(engine) == {"queued": 2}


def test_where_to_read_on_is_kept_and_never_goes_back(outbox: Outbox) -> None:
    outbox.record([told(1)], [], {ALERTS: 7})
    outbox.record([told(1)], [], {ALERTS: 3})

    other = Place("botmeter.alerts", 1)
    assert outbox.positions([ALERTS, other], max_age_ms=0) == {ALERTS: 7}


def test_what_is_older_than_the_first_start_allows_is_recorded_and_not_sent(outbox: Outbox, engine: Engine) -> None:
    outbox.record([told(1, at_ms=NOON_MS - MINUTE_MS - 1), told(2, at_ms=NOON_MS - MINUTE_MS)], [], {ALERTS: 2})

    assert states(engine) == {"skipped": 1, "queued": 1}
    assert claimed(outbox).notice.notice_id == "alert/northwind/2"
    assert outbox.claim("email") is None


def test_after_the_first_start_age_does_not_matter(outbox: Outbox, engine: Engine, clock: Clock) -> None:
    clock.now_ms += 100 * MINUTE_MS
    outbox.positions([ALERTS], max_age_ms=MINUTE_MS)
    outbox.record([told(1, at_ms=NOON_MS)], [], {ALERTS: 1})

    assert states(engine) == {"queued": 1}


def test_an_accepted_mail_is_sent_and_reported(outbox: Outbox, engine: Engine) -> None:
    outbox.record([told()], [], {ALERTS: 1})

    assert outbox.finish(claimed(outbox), TAKEN).state == "sent"
    assert outbox.claim("email") is None
    assert (only(engine)["attempts"], reported(engine)) == (1, ["sent"])


def test_a_report_masks_the_recipient(outbox: Outbox, engine: Engine) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    outbox.finish(claimed(outbox), TAKEN)
    with reading(engine) as connection:
        body = json.loads(connection.execute(select(reports.c.body)).scalar_one())

    assert body["recipient"] == "m***@northwind.example"
    assert (body["alert_id"], body["reason"], body["channel"]) == ("northwind/41", None, "email")


def test_what_failed_for_now_is_tried_again_later_and_each_time_later(outbox: Outbox, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    pauses = []
    for _ in range(3):
        began_ms = clock.now_ms
        outbox.finish(claimed(outbox), NotAccepted("451"))
        assert outbox.claim("email") is None
        while (claim := outbox.claim("email")) is None:
            clock.now_ms += 100
        pauses.append(clock.now_ms - began_ms)
        outbox.finish(claim, NotAccepted("451"))
        clock.now_ms += MINUTE_MS

    assert pauses == sorted(pauses)
    assert 1_000 <= pauses[0] <= 1_300


def test_patience_ends_and_what_failed_can_be_sent_again(outbox: Outbox, engine: Engine, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    while only(engine)["state"] != "failed":
        if claim := outbox.claim("email"):
            outbox.finish(claim, NotAccepted("451 come back later"))
        clock.now_ms += 1_000

    assert clock.now_ms - NOON_MS < PATIENCE.give_up_ms
    assert only(engine)["reason"] == "given up: 451 come back later"
    assert outbox.resend([only(engine)["delivery_id"]]) == 1
    assert outbox.finish(claimed(outbox), TAKEN).state == "sent"


def test_what_is_refused_for_good_is_not_tried_again(outbox: Outbox, engine: Engine, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    outbox.finish(claimed(outbox), Refused("550 no such user"))
    clock.now_ms += 10**9

    assert outbox.claim("email") is None
    assert only(engine)["reason"] == "550 no such user"


def test_an_unanswered_mail_goes_out_once_more_and_is_marked(outbox: Outbox, engine: Engine, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    outbox.finish(claimed(outbox), Unanswered("no answer"))
    assert outbox.claim("email") is None

    clock.now_ms += PATIENCE.repeat_ms
    assert outbox.finish(claimed(outbox), TAKEN).state == "maybe_twice"
    assert reported(engine) == ["retrying", "maybe_twice"]


def test_repetitions_have_an_end(outbox: Outbox, engine: Engine, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    for _ in range(PATIENCE.repeats_max + 1):
        outbox.finish(claimed(outbox), Unanswered("no answer"))
        clock.now_ms += PATIENCE.repeat_ms

    assert outbox.claim("email") is None
    assert (only(engine)["state"], only(engine)["unanswered"]) == ("failed", 2)


def test_an_endpoint_that_knows_a_repetition_is_tried_as_long_as_patience_lasts(outbox: Outbox, clock: Clock) -> None:
    outbox.record([told(41, Recipient("webhook", "https://x.example"))], [], {ALERTS: 1})
    for _ in range(4):
        claim = outbox.claim("webhook")
        assert claim is not None
        assert outbox.finish(claim, Unanswered("no answer", is_deduplicated=True)).state == "retrying"
        clock.now_ms += MINUTE_MS


def test_a_dead_sender_that_had_not_handed_over_leaves_nothing_unknown(outbox: Outbox, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    claimed(outbox)
    assert outbox.claim("email") is None

    clock.now_ms += PATIENCE.claim_ms
    assert outbox.finish(claimed(outbox), TAKEN).state == "sent"


def test_a_dead_sender_that_may_have_handed_over_leaves_a_mark(outbox: Outbox, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    outbox.mark_past_return(claimed(outbox), answer_within_ms=1_000)
    clock.now_ms += PATIENCE.claim_ms
    assert outbox.claim("email") is None, "the answer may still come"

    clock.now_ms += 1_000
    assert outbox.finish(claimed(outbox), TAKEN).state == "maybe_twice"


def test_senders_that_die_again_and_again_have_an_end(outbox: Outbox, engine: Engine, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    for _ in range(PATIENCE.repeats_max + 1):
        outbox.mark_past_return(claimed(outbox), answer_within_ms=0)
        clock.now_ms += PATIENCE.claim_ms

    assert outbox.claim("email") is None
    assert states(engine) == {"failed": 1}


def test_a_sender_that_lost_its_claim_must_not_hand_over(outbox: Outbox, clock: Clock) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    slow = claimed(outbox)
    clock.now_ms += PATIENCE.claim_ms
    with pytest.raises(ClaimLost):  # nobody else has it yet, but somebody may at any moment
        outbox.mark_past_return(slow, answer_within_ms=1_000)

    fast = claimed(outbox)
    with pytest.raises(ClaimLost):
        outbox.mark_past_return(slow, answer_within_ms=1_000)
    with pytest.raises(ClaimLost):
        outbox.finish(slow, TAKEN)
    assert outbox.finish(fast, TAKEN).state == "sent"


def test_a_mail_that_was_sent_and_is_sent_again_is_marked(outbox: Outbox, engine: Engine) -> None:
    outbox.record([told()], [], {ALERTS: 1})
    outbox.finish(claimed(outbox), TAKEN)
    outbox.resend([only(engine)["delivery_id"]])

    assert outbox.finish(claimed(outbox), TAKEN).state == "maybe_twice"
    assert only(engine)["attempts"] == 2


def test_what_is_under_way_is_not_sent_again(outbox: Outbox, engine: Engine) -> None:
    outbox.record([told()], [], {ALERTS: 1})

    assert outbox.resend([only(engine)["delivery_id"]]) == 0
    claimed(outbox)
    assert outbox.resend([only(engine)["delivery_id"]]) == 0


def test_many_senders_at_once_have_each_delivery_once(outbox: Outbox, engine: Engine) -> None:
    outbox.record([told(version) for version in range(200)], [], {ALERTS: 200})

    def send_all(_: int) -> list[str]:
        sent = []
        while (claim := outbox.claim("email")) is not None:
            outbox.mark_past_return(claim, answer_within_ms=1_000)
            sent.append(claim.delivery_id)
            outbox.finish(claim, TAKEN)
        return sent

    with ThreadPoolExecutor(4) as senders:
        sent = [each for found in senders.map(send_all, range(4)) for each in found]

    assert (len(sent), len(set(sent))) == (200, 200)
    assert states(engine) == {"sent": 200}
