"""The data of the live view, folded from the worker's output records; pure."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from botmeter.contracts import catalogue
from botmeter.contracts.codec import type_in
from botmeter.contracts.topics import Topics
from botmeter.demo.inbox import Arrival
from botmeter.domain.announcements import (
    Alert,
    Announcement,
    Balance,
    HandedOffChat,
    Handoff,
    ResumedBot,
    SuspendedBot,
)
from botmeter.domain.events import CycleStarted, PacksPurchased
from botmeter.domain.prices import Money
from botmeter.metering.records import Record

#: As many lines as a tall terminal shows.
_FEED_MAX: Final = 60
#: How many of the latest measurements the percentiles are taken from.
_LATENCIES_MAX: Final = 5_000
#: Rates are taken over this many samples.
_SAMPLES_MAX: Final = 8

Tone = Literal["good", "warning", "bad", "plain"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a feed; `at` is the broker's time, UTC ms, `version` the account's.

    Within a version, the alert has rank 0 and the suspension that follows from it rank 1.
    """

    at: int
    account_id: str
    version: int
    text: str
    tone: Tone = "plain"
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """The progress at a moment: seconds since the traffic began, records sent, interactions metered."""

    elapsed_s: float
    sent: int
    metered: int


@dataclass(slots=True)
class Model:
    """Everything on the screen."""

    topics: Topics
    #: Accounts whose first chat is reported after their bots are resumed.
    watched: frozenset[str] = frozenset()
    balances: dict[str, Balance] = field(default_factory=dict)
    alerts: deque[Happening] = field(default_factory=lambda: deque(maxlen=_FEED_MAX))
    chats: deque[Happening] = field(default_factory=lambda: deque(maxlen=_FEED_MAX))
    #: How many lines were ever added to `alerts`.
    alert_lines: int = 0
    #: Alerts by type.
    alerted: Counter[str] = field(default_factory=Counter)
    #: Chats handed to agents, by account.
    handed_off: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    results: int = 0
    sessions: int = 0
    #: From the broker's timestamp of an interaction to the moment when its session was read, ms.
    latencies_ms: deque[int] = field(default_factory=lambda: deque(maxlen=_LATENCIES_MAX))
    #: Accounts whose sessions were used up, in order; the billing side removes them.
    used_up: deque[str] = field(default_factory=deque)
    #: When (UTC ms) watched accounts had sessions again, until a bot answers their first chat.
    resumed_at: dict[str, int] = field(default_factory=dict)
    #: Mails as they arrived.
    mails: deque[Happening] = field(default_factory=lambda: deque(maxlen=_FEED_MAX))
    #: Number of mails and webhooks, by channel.
    arrived: Counter[str] = field(default_factory=Counter)
    #: From the chat that caused an alert to the arrival of the alert's mail, ms.
    mail_latencies_ms: list[int] = field(default_factory=list)
    #: When each alert happened, by its `ce_id`.
    alert_times: dict[str, int] = field(default_factory=dict)
    #: Alerts with contacts whose mail has not arrived.
    unmailed: set[str] = field(default_factory=set)
    #: Mails that arrived before the alert was read here.
    early: dict[str, int] = field(default_factory=dict)
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES_MAX))

    def take(self, record: Record, received_at: int) -> None:
        """Folds an output record that was received at `received_at` (UTC ms)."""
        topic = record.topic()
        if topic == self.topics.journal.name:
            self._take_event(record, received_at)
        elif topic == self.topics.balances.name:
            balance = catalogue.BALANCES.decode(record.value())
            self.balances[balance.account_id] = balance
        elif topic == self.topics.alerts.name:
            self._take_alert(catalogue.ALERTS.decode(record.value()))
        elif topic == self.topics.handoffs.name:
            self._take_handoff(catalogue.HANDOFFS.decode(record.value()))
        elif topic == self.topics.dead_letters.name:
            self.dead_letters[catalogue.DEAD_LETTERS.decode(record.headers()).reason] += 1
        elif topic == self.topics.command_results.name:
            self.results += 1

    def take_sample(self, sample: Sample) -> None:
        """Adds a sample of the progress."""
        self.samples.append(sample)

    def take_arrivals(self, arrivals: Iterable[Arrival]) -> None:
        """Adds mails and webhooks that reached the customers."""
        for arrival in arrivals:
            self.arrived[arrival.channel] += 1
            if arrival.channel == "email":
                account_id = arrival.notice_id.split("/")[1]
                self.mails.append(Happening(arrival.at, account_id, 0, arrival.subject.partition(": ")[2]))
                self.early.setdefault(arrival.notice_id, arrival.at)
        for notice_id in [each for each in self.early if each in self.unmailed]:
            self.unmailed.discard(notice_id)
            self.mail_latencies_ms.append(self.early.pop(notice_id) - self.alert_times[notice_id])

    def unmailed_count(self) -> int:
        """Returns the number of alerts whose mail has not arrived."""
        return len(self.unmailed)

    def rates(self) -> tuple[float, float]:
        """Returns records sent and interactions metered per second, over the last samples."""
        if len(self.samples) < 2:
            return 0.0, 0.0
        first, last = self.samples[0], self.samples[-1]
        seconds = max(last.elapsed_s - first.elapsed_s, 0.001)
        return (last.sent - first.sent) / seconds, (last.metered - first.metered) / seconds

    def latency_ms(self, percent: int) -> int | None:
        """Returns this percentile of the latest latencies; None before the first."""
        return percentile(sorted(self.latencies_ms), percent)

    def _take_event(self, record: Record, received_at: int) -> None:
        """Folds an event. A journal record has its event's time: for a session, the time of its interaction."""
        match type_in(record.value()):
            case "session_started":
                self.sessions += 1
                self.latencies_ms.append(received_at - record.timestamp()[1])
                self._take_first_chat(record, received_at)
            case "sessions_available":
                account_id = _account_of(record)
                if account_id in self.watched:
                    self.resumed_at[account_id] = record.timestamp()[1]
            case "cycle_started":
                self._take_cycle(record)
            case "packs_purchased":
                event = catalogue.JOURNAL.decode(record.value())
                if isinstance(event, PacksPurchased):
                    how = "auto-recharge bought" if event.trigger == "auto_recharge" else "bought"
                    text = f"{how} {_counted(event.packs, 'pack')} for {_price(event.charge)}"
                    self._add_line(Happening(event.at, event.account_id, event.version, text, "good"))
            case _:
                pass

    def _take_cycle(self, record: Record) -> None:
        event = catalogue.JOURNAL.decode(record.value())
        if isinstance(event, CycleStarted) and event.number > 1:
            charged = f", charged {_price(event.charge)}" if event.charge else ""
            text = f"new cycle: {event.total:,} sessions{charged}"
            self._add_line(Happening(event.at, event.account_id, event.version, text, "good"))

    def _take_first_chat(self, record: Record, received_at: int) -> None:
        """Reports the first chat after a purchase, for which the buyer waits."""
        if self.resumed_at and (since := self.resumed_at.pop(_account_of(record), None)) is not None:
            text = f"a bot answers a new chat, {(received_at - since) / 1000:.1f} s later"
            self._add_line(Happening(record.timestamp()[1], _account_of(record), 0, text, "good"))

    def _add_line(self, line: Happening) -> None:
        self.alerts.append(line)
        self.alert_lines += 1

    def _take_alert(self, alert: Alert) -> None:
        usage = f"{alert.used:,} of {alert.total:,} sessions"
        self.alerted[alert.type] += 1
        if alert.contacts:
            notice_id = f"alert/{alert.account_id}/{alert.version}"
            self.alert_times[notice_id] = alert.at
            self.unmailed.add(notice_id)
        if alert.type == "sessions_exhausted":
            self.used_up.append(alert.account_id)
            self._add_line(_happening(alert, f"all used: {usage}", "bad"))
        else:
            self._add_line(_happening(alert, f"{alert.percent} % used: {usage}", "warning"))

    def _take_handoff(self, handoff: Handoff) -> None:
        reason = handoff.reason.replace("_", " ")
        match handoff:
            case HandedOffChat():
                self.handed_off[handoff.account_id] += 1
                self.chats.append(_happening(handoff, handoff.conversation_id))
            case SuspendedBot():
                self._add_line(_happening(handoff, f"bots suspended: {reason}", "bad", rank=1))
            case ResumedBot():
                self._add_line(_happening(handoff, f"bots resumed: {reason}", "good"))


def in_order(lines: Iterable[Happening]) -> list[Happening]:
    """Sorts lines as things happened, because records of different topics may be read in another order."""
    return sorted(lines, key=lambda line: (line.at, line.account_id, line.version, line.rank))


def clock(at: int) -> str:
    """Returns the local time of day of a moment (UTC ms)."""
    return time.strftime("%H:%M:%S", time.localtime(at / 1000))


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """Returns the nearest-rank percentile of ascending numbers; None without numbers."""
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] if ordered else None


def _happening(message: Announcement, text: str, tone: Tone = "plain", rank: int = 0) -> Happening:
    return Happening(message.at, message.account_id, message.version, text, tone, rank)


def _account_of(record: Record) -> str:
    return (record.key() or b"").decode()


def _price(money: Money) -> str:
    return f"{money.amount_minor / 100:,.2f} {money.currency}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
