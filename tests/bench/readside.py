"""Journal events a second of the read side, and what its questions take when there is much in it.

    python tests/bench/readside.py --accounts 100000 --sessions 10000000 --url sqlite:///readside.db

Kafka is left out: events are encoded beforehand, then decoded, projected and written as the projection does it. Of a
database that is there already only the questions are asked.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from statistics import median
from typing import Any, Final

from botmeter.contracts.catalogue import JOURNAL
from botmeter.domain import events as ev
from botmeter.domain.cycles import boundaries_around
from botmeter.domain.events import CommandCause, Event, InteractionCause
from botmeter.domain.prices import DAY_MS, Money
from botmeter.domain.sessions import session_id
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.readside.queries import Queries
from botmeter.readside.results import SessionFilter
from botmeter.readside.tables import TABLES
from botmeter.readside.writer import Advance, Batch, Position, Writer

START: Final = 1_788_000_000_000  # 2026-08-29
SPAN_MS: Final = 60 * DAY_MS
PARTITIONS: Final = 12
ZONES: Final = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata")
WIDGETS: Final = ("conversations", "conversations", "conversations", "self_service")
QUESTIONS: Final = 300


def account_name(number: int) -> str:
    return f"account-{number:06d}"


def opening(number: int) -> list[Event]:
    """An account with packs enough for its sessions."""
    account_id, zone = account_name(number), ZONES[number % len(ZONES)]
    cause = CommandCause("billing.commands", number % PARTITIONS, number, f"open-{number}", 0)
    bounds = boundaries_around(START, zone, "annual", START)
    return [
        ev.AccountOpened(account_id, 1, START, cause, "growth", "annual", START, zone, ("a@b.example",), (80,),
                         *bounds),
        ev.PacksPurchased(account_id, 2, START, cause, 200, 200_000, Money(2_000_000, "USD"), 200_000, 0, "command"),
        ev.CommandHandled(account_id, 3, START, cause, f"open-{number}", "open_account", "crm", "accepted", None, None),
    ]  # fmt: skip


class Traffic:
    """Sessions of all accounts in the order of time; half of them belong to one account in a hundred."""

    def __init__(self, accounts: int, sessions: int) -> None:
        self._dice = Random(7)
        self._accounts, self._sessions = accounts, sessions
        self._versions = [3] * accounts
        self._used = [0] * accounts

    def events(self) -> Iterator[tuple[int, Event]]:
        """With the number of the partition."""
        for number in range(self._accounts):
            for event in opening(number):
                yield number % PARTITIONS, event
        for made in range(self._sessions):
            is_busy = self._dice.random() < 0.5
            number = self._dice.randrange(max(self._accounts // 100, 1) if is_busy else self._accounts)
            yield number % PARTITIONS, self._session(number, made)

    def _session(self, number: int, made: int) -> Event:
        at = START + 1_000 + made * SPAN_MS // self._sessions
        self._versions[number] += 1
        self._used[number] += 1
        account_id, user = account_name(number), f"user-{self._dice.randrange(10**9):09d}"
        preview = made % 50 == 0
        cause = InteractionCause("chat.interactions", number % PARTITIONS, 20 * made, f"event-{made:010d}")
        return ev.SessionStarted(
            account_id, self._versions[number], at, cause, session_id(account_id, user, preview, at), user,
            preview, at, at + DAY_MS, 1, "purchased", self._used[number], f"bot-{made % 3}",
            f"conversation-{made:010d}", WIDGETS[made % len(WIDGETS)],
        )  # fmt: skip


class Filling:
    """Writes the traffic, and says how fast, without the time that making it takes."""

    def __init__(self, writer: Writer, batch_records: int, report_every: int) -> None:
        self._writer, self._batch_records, self._report_every = writer, batch_records, report_every
        found = writer.positions("botmeter.journal", "x", range(PARTITIONS), 1)
        self._positions = {each.partition: each for each in found}
        self._encoded: list[tuple[int, int, bytes]] = []
        self._written = self._reported = 0
        self._spent_s = 0.0

    def run(self, traffic: Traffic) -> None:
        offsets = [0] * PARTITIONS
        for partition, event in traffic.events():
            self._encoded.append((partition, offsets[partition], JOURNAL.encode(event)))
            offsets[partition] += 1
            if len(self._encoded) >= self._batch_records:
                self._flush(offsets)
        self._flush(offsets)

    def _flush(self, offsets: Sequence[int]) -> None:
        begun_s = time.perf_counter()
        batch = Batch([(partition, offset, JOURNAL.decode(value)) for partition, offset, value in self._encoded])
        for partition in {partition for partition, _, _ in self._encoded}:
            batch.advances.append(Advance(self._positions[partition], offsets[partition], offsets[partition], 1, 1))
        self._writer.write(batch, 1)
        self._spent_s += time.perf_counter() - begun_s
        for advance in batch.advances:
            known = advance.position
            moved = Position(known.topic, known.partition, known.topic_id, advance.next_offset)
            self._positions[known.partition] = moved
        self._written += len(self._encoded)
        self._reported += len(self._encoded)
        self._encoded.clear()
        if self._reported >= self._report_every:
            print(f"{self._written:12,} events written, {self._reported / self._spent_s:9,.0f} a second", flush=True)
            self._spent_s, self._reported = 0.0, 0


def timed_ms(ask: Callable[[], Any]) -> float:
    begun_s = time.perf_counter()
    ask()
    return (time.perf_counter() - begun_s) * 1_000


def ask_all(queries: Queries, accounts: int) -> None:
    """Each question of the page some hundred times, of accounts drawn anew; the first time counts too."""
    dice, now = Random(3), START + SPAN_MS
    busy_ones = max(accounts // 100, 1)

    def any_one() -> str:
        return account_name(dice.randrange(accounts))

    def busy() -> str:
        return account_name(dice.randrange(busy_ones))

    page, all_ = queries.accounts(limit=50, now=now), SessionFilter()
    some = [each.session_id for _ in range(20) for each in queries.sessions(busy(), all_, limit=15).sessions]
    questions: Sequence[tuple[str, Callable[[], Any]]] = [
        ("accounts by risk", lambda: queries.accounts(limit=50, now=now)),
        ("accounts by risk, page 2", lambda: queries.accounts(limit=50, cursor=page.next_cursor, now=now)),
        ("accounts, search of one", lambda: queries.accounts(search=any_one()[-6:], now=now)),
        ("accounts, search of many", lambda: queries.accounts(search="account-0", now=now)),
        ("accounts, search of none", lambda: queries.accounts(search="no such account", now=now)),
        ("accounts by state, counted", queries.count_by_state),
        ("summary", lambda: queries.summary(any_one())),
        ("account", lambda: queries.account(busy(), now)),
        ("open session", lambda: queries.open_session(busy(), "user-1", now, preview=False)),
        ("usage, 30 days", lambda: queries.usage(busy(), now - 30 * DAY_MS, now, by="bot")),
        ("usage, a year by the day", lambda: queries.usage(busy(), now - 365 * DAY_MS, now)),
        ("usage, 7 days by the hour", lambda: queries.usage(busy(), now - 7 * DAY_MS, now, bucket="hour", by="widget")),
        ("burn-down", lambda: queries.burn_down(busy(), now)),
        ("sessions", lambda: queries.sessions(busy(), all_)),
        ("sessions of an end-user", lambda: queries.sessions(busy(), SessionFilter(end_user_id="user-1"))),
        ("sessions, previews", lambda: queries.sessions(busy(), SessionFilter(preview=True))),
        ("explain", lambda: queries.explain(dice.choice(some))),
        ("timeline", lambda: queries.timeline(busy())),
        ("statement", lambda: queries.statement(busy(), 1, now)),
        ("freshness", lambda: queries.freshness(now)),
    ]
    for name, ask in questions:
        found = sorted(timed_ms(ask) for _ in range(QUESTIONS))
        print(f"{name:28} p50 {median(found):8.2f} ms   p99 {found[int(0.99 * len(found))]:8.2f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--sessions", type=int, default=500_000)
    parser.add_argument("--url", default="sqlite:///build/readside-benchmark.db")
    parser.add_argument("--batch", type=int, default=50_000, help="events of one transaction")
    parser.add_argument("--report-every", type=int, default=100_000)
    chosen = parser.parse_args()
    engine = open_database(chosen.url)
    migrate(engine)
    queries = Queries(engine)
    if not queries.accounts(limit=1, now=START).accounts:
        writer = Writer(engine, TABLES["a"], "benchmark", "a")
        Filling(writer, chosen.batch, chosen.report_every).run(Traffic(chosen.accounts, chosen.sessions))
    ask_all(queries, chosen.accounts)


if __name__ == "__main__":
    main()
