"""The outbox: notices, their recipients, and the state of each delivery. Everything that must survive a crash is here.

A delivery's states:

    queued, retrying  --claim-->  sending  --finish-->  sent, maybe_twice, failed, retrying

    queued        new, or to be sent again
    sending       a sender has claimed it; when the claim ends without a result, another sender takes it over
    retrying      the last attempt did not arrive, or may not have arrived; it is tried again later
    sent          accepted, and every attempt before certainly did not arrive
    maybe_twice   accepted, and an attempt before may have arrived too
    failed        refused for good, or given up; can be sent again
    skipped       older than the notifier's first start allows; can be sent

A sender claims a delivery for a limited time, and records just before the point of no return (the final dot of a mail)
that it is about to pass it. From that record the successor of a sender that died knows whether the attempt certainly
failed or may have arrived. The same statement fences: a sender that was too slow and lost its claim must not go on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, select, update

from botmeter.kafka.subscription import Place
from botmeter.notify import reports
from botmeter.notify.database import insert_new, reading
from botmeter.notify.notices import Notice
from botmeter.notify.outcomes import Accepted, NotAccepted, Outcome, Refused, Unanswered
from botmeter.notify.recipients import ChannelName, Recipient, delivery_id
from botmeter.notify.schedule import RetryPolicy, pause_ms
from botmeter.notify.tables import deliveries, notices, offsets, unreadable

#: Answers are stored for operators to read; a long one is cut.
_REASON_CHARACTERS_MAX: Final = 500


class ClaimLost(Exception):  # noqa: N818 - named by what happened
    """The claim has ended and another sender may have the delivery. Recovery: do not send."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt at one delivery, exclusive to its holder until the claim ends."""

    token: str
    delivery_id: str
    notice: Notice
    recipient: Recipient
    time_zone: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AddressedNotice:
    """A notice with its recipients."""

    notice: Notice
    recipients: Sequence[Recipient]
    time_zone: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is no message of the contract."""

    place: Place
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of an attempt; `delay_ms` is from the notice's own time to now."""

    channel: ChannelName
    state: str
    delay_ms: int


class Outbox:
    """The outbox in a database; every method is one transaction, and may be called from any thread."""

    def __init__(self, engine: Engine, policy: RetryPolicy, clock_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._policy = policy
        self._clock_ms = clock_ms

    # --- Reading -----------------------------------------------------------------------------------------------------

    def positions(self, places: Sequence[Place], max_age_ms: int) -> dict[Place, int]:
        """The offsets to continue from. A new partition is recorded, with the time before which alerts are not sent."""
        now_ms = self._clock_ms()
        first = {"next_offset": 0, "quiet_before_ms": now_ms - max_age_ms}
        with self._engine.begin() as connection:
            insert_new(
                connection, offsets, [{"topic": topic, "partition": number, **first} for topic, number in places]
            )
            rows = connection.execute(select(offsets.c.topic, offsets.c.partition, offsets.c.next_offset))
            stored = {Place(topic, partition): offset for topic, partition, offset in rows}
        return {place: stored[place] for place in places if stored[place]}

    def is_quiet(self, notice: Notice) -> bool:
        """Whether the notice is older than the first start allows, and so not sent."""
        with reading(self._engine) as connection:
            return notice.at_ms < _quiet_before(connection)

    def record(
        self, addressed: Sequence[AddressedNotice], bad: Sequence[Unreadable], progress: Mapping[Place, int]
    ) -> int:
        """Store what was read, with the next offsets; known notices are skipped. Returns the number of deliveries."""
        now_ms = self._clock_ms()
        with self._engine.begin() as connection:
            quiet_ms = _quiet_before(connection)
            new = _new(connection, addressed)
            insert_new(connection, notices, [_notice_row(each.notice, now_ms) for each in new])
            rows = [self._delivery_row(each, to, quiet_ms, now_ms) for each in new for to in each.recipients]
            insert_new(connection, deliveries, rows)
            insert_new(connection, unreadable, [_unreadable_row(each, now_ms) for each in bad])
            _advance(connection, progress)
        return len(rows)

    def _delivery_row(
        self, addressed: AddressedNotice, recipient: Recipient, quiet_ms: int, now_ms: int
    ) -> dict[str, Any]:
        notice = addressed.notice
        is_quiet = notice.at_ms < quiet_ms
        return {
            "delivery_id": delivery_id(notice.notice_id, recipient),
            "notice_id": notice.notice_id,
            "account_id": notice.account_id,
            "channel": recipient.channel,
            "recipient": recipient.address,
            "name": recipient.name,
            "locale": recipient.locale,
            "time_zone": addressed.time_zone,
            "state": "skipped" if is_quiet else "queued",
            "attempts": 0,
            "tries": 0,
            "unanswered": 0,
            "next_at_ms": None if is_quiet else now_ms,
            "give_up_at_ms": now_ms + self._policy.give_up_ms,
            "claim": "",
            "is_past_return": 0,
            "reason": "older than the notifier's first start allows" if is_quiet else "",
            "changed_at_ms": now_ms,
        }

    # --- Sending -----------------------------------------------------------------------------------------------------

    def claim(self, channel: ChannelName) -> Claim | None:
        """Claims the delivery that has been due longest, for one attempt; None when none is due.

        A delivery whose sender died is due when its claim ends; if it may have been sent, that counts as unanswered.
        """
        while True:
            now_ms = self._clock_ms()
            with self._engine.begin() as connection:
                row = connection.execute(_due(channel, now_ms)).first()
                if row is None:
                    return None
                if not row.is_past_return or row.unanswered < self._policy.repeats_max:
                    return self._claimed(connection, row, now_ms)
                self._give_up(connection, row, "the notifier died before it had an answer, too often", now_ms)

    def mark_past_return(self, claim: Claim, answer_within_ms: int) -> None:
        """Record that the attempt is about to pass the point of no return; extends the claim until the answer is due.

        Raises ClaimLost when the claim has ended: the attempt must not go on.
        """
        now_ms = self._clock_ms()
        statement = (
            update(deliveries)
            .where(deliveries.c.delivery_id == claim.delivery_id, deliveries.c.claim == claim.token)
            .where(deliveries.c.next_at_ms > now_ms)
            .values(is_past_return=1, next_at_ms=now_ms + answer_within_ms + self._policy.claim_ms)
        )
        with self._engine.begin() as connection:
            if connection.execute(statement).rowcount == 0:
                raise ClaimLost(claim.delivery_id)

    def finish(self, claim: Claim, outcome: Outcome) -> Finished:
        """Store the outcome of the attempt. Raises ClaimLost when another sender has claimed the delivery."""
        now_ms = self._clock_ms()
        with self._engine.begin() as connection:
            row = connection.execute(_claimed_row(claim)).first()
            if row is None:
                raise ClaimLost(claim.delivery_id)
            values = self._after(row, outcome, now_ms)
            self._change(connection, row, values, now_ms)
        return Finished(claim.recipient.channel, values["state"], now_ms - claim.notice.at_ms)

    def _claimed(self, connection: Connection, row: Row[Any], now_ms: int) -> Claim:
        token = secrets.token_hex(8)
        values = {
            "state": "sending",
            "claim": token,
            "attempts": row.attempts + 1,
            "tries": row.tries + 1,
            "unanswered": row.unanswered + row.is_past_return,
            "is_past_return": 0,
            "next_at_ms": now_ms + self._policy.claim_ms,
        }
        connection.execute(update(deliveries).where(deliveries.c.delivery_id == row.delivery_id).values(values))
        notice = Notice(row.notice_id, row.kind, row.account_id, row.at_ms, row.body, row.traceparent)
        recipient = Recipient(row.channel, row.recipient, row.name, row.locale)
        return Claim(token, row.delivery_id, notice, recipient, row.time_zone, row.attempts + 1)

    def _after(self, row: Row[Any], outcome: Outcome, now_ms: int) -> dict[str, Any]:
        """The columns after the attempt: state, reason, next attempt, count of unanswered attempts."""
        match outcome:
            case Accepted():
                return {"state": "maybe_twice" if row.unanswered else "sent", "reason": outcome.answer}
            case Refused():
                return {"state": "failed", "reason": outcome.reason}
            case Unanswered(is_deduplicated=True):
                return {**self._later(row, outcome.reason, now_ms), "unanswered": row.unanswered + 1}
            case Unanswered():
                unanswered = {"unanswered": row.unanswered + 1, "reason": outcome.reason}
                if row.unanswered >= self._policy.repeats_max:
                    return {**unanswered, "state": "failed"}
                return {**unanswered, "state": "retrying", "next_at_ms": now_ms + self._policy.repeat_ms}
            case NotAccepted():
                return self._later(row, outcome.reason, now_ms, outcome.after_ms)

    def _later(self, row: Row[Any], reason: str, now_ms: int, after_ms: int = 0) -> dict[str, Any]:
        """Retries after a pause, or gives up when the time for it is over."""
        next_at_ms = now_ms + max(pause_ms(self._policy, row.tries, row.delivery_id), after_ms)
        if next_at_ms > row.give_up_at_ms:
            return {"state": "failed", "reason": f"given up: {reason}"}
        return {"state": "retrying", "reason": reason, "next_at_ms": next_at_ms}

    def _give_up(self, connection: Connection, row: Row[Any], reason: str, now_ms: int) -> None:
        self._change(connection, row, {"state": "failed", "reason": reason, "unanswered": row.unanswered + 1}, now_ms)

    def _change(self, connection: Connection, row: Row[Any], values: Mapping[str, Any], now_ms: int) -> None:
        """Writes a new state, and the report of it."""
        reason = " ".join(str(values["reason"]).split())[:_REASON_CHARACTERS_MAX]
        complete = {
            "next_at_ms": None,
            "claim": "",
            "is_past_return": 0,
            "changed_at_ms": now_ms,
            **values,
            "reason": reason,
        }
        connection.execute(update(deliveries).where(deliveries.c.delivery_id == row.delivery_id).values(complete))
        reports.add(connection, {**row._mapping, **complete}, now_ms)  # noqa: SLF001 - public, says SQLAlchemy

    # --- Sending again -----------------------------------------------------------------------------------------------

    def resend(self, chosen: Sequence[str]) -> int:
        """Queue these deliveries again, in whatever state, except those under way; returns how many were queued.

        One that may have arrived keeps that mark: sent again, it is `maybe_twice`.
        """
        now_ms = self._clock_ms()
        has_ended = deliveries.c.next_at_ms.is_(None)
        with self._engine.begin() as connection:
            rows = connection.execute(select(deliveries).where(deliveries.c.delivery_id.in_(chosen), has_ended)).all()
            for row in rows:
                values = {
                    "state": "queued",
                    "tries": 0,
                    "unanswered": 1 if row.unanswered or row.state in ("sent", "maybe_twice") else 0,
                    "next_at_ms": now_ms,
                    "give_up_at_ms": now_ms + self._policy.give_up_ms,
                    "reason": "to be sent again",
                    "changed_at_ms": now_ms,
                }
                connection.execute(update(deliveries).where(deliveries.c.delivery_id == row.delivery_id).values(values))
        return len(rows)


def _advance(connection: Connection, progress: Mapping[Place, int]) -> None:
    """Store the next offsets; never backwards, because a member that lost the partition may still write."""
    for place, offset in progress.items():
        connection.execute(
            update(offsets)
            .where(offsets.c.topic == place.topic, offsets.c.partition == place.partition)
            .where(offsets.c.next_offset < offset)
            .values(next_offset=offset)
        )


def _quiet_before(connection: Connection) -> int:
    """The time before which alerts are not sent; that of the first recorded partition counts for all."""
    statement = select(offsets.c.quiet_before_ms).order_by(offsets.c.quiet_before_ms).limit(1)
    return connection.execute(statement).scalar() or 0


def _new(connection: Connection, addressed: Sequence[AddressedNotice]) -> list[AddressedNotice]:
    """The notices that are not stored yet, each once."""
    by_id: dict[str, AddressedNotice] = {}
    for each in addressed:
        by_id.setdefault(each.notice.notice_id, each)
    known = connection.execute(select(notices.c.notice_id).where(notices.c.notice_id.in_(list(by_id)))).scalars()
    for notice_id in known.all():
        del by_id[notice_id]
    return list(by_id.values())


def _notice_row(notice: Notice, now_ms: int) -> dict[str, Any]:
    return {
        "notice_id": notice.notice_id,
        "kind": notice.kind,
        "account_id": notice.account_id,
        "at_ms": notice.at_ms,
        "body": notice.body,
        "recorded_at_ms": now_ms,
        "traceparent": notice.traceparent,
    }


def _unreadable_row(bad: Unreadable, now_ms: int) -> dict[str, Any]:
    return {
        "topic": bad.place.topic,
        "partition": bad.place.partition,
        "record_offset": bad.offset,
        "reason": bad.reason[:_REASON_CHARACTERS_MAX],
        "recorded_at_ms": now_ms,
    }


_WITH_NOTICE: Final = select(
    deliveries, notices.c.kind, notices.c.at_ms, notices.c.body, notices.c.traceparent
).join_from(deliveries, notices)


def _due(channel: ChannelName, now_ms: int) -> Any:
    return (
        _WITH_NOTICE.where(deliveries.c.channel == channel, deliveries.c.next_at_ms <= now_ms)
        .order_by(deliveries.c.next_at_ms)
        .limit(1)
        .with_for_update(skip_locked=True, of=deliveries)
    )


def _claimed_row(claim: Claim) -> Any:
    return _WITH_NOTICE.where(
        deliveries.c.delivery_id == claim.delivery_id, deliveries.c.claim == claim.token
    ).with_for_update(of=deliveries)
