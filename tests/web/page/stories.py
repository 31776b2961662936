"""Lives of accounts, told as commands and chats, decided by the rules themselves, and projected into a read side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine

from botmeter.contracts.delivery import Delivery
from botmeter.domain import commands as cmd
from botmeter.domain.account import Account, fold
from botmeter.domain.billing import decide_command, decide_tick
from botmeter.domain.contacts import Contacts
from botmeter.domain.events import (
    CommandCause,
    Event,
    InteractionCause,
    SessionsExhausted,
    ThresholdReached,
    TimerCause,
)
from botmeter.domain.metering import Memory, decide_interaction
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import Interaction, Widget
from botmeter.readside.tables import TABLES
from botmeter.readside.writer import Advance, Batch, Writer

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
JOURNAL: Final = "botmeter.journal"
TOPIC_ID: Final = "id-of-the-journal"
MAYA: Final = "maya@northwind.example"


@dataclass
class Story:
    """One account's life. Times are UTC ms, in order."""

    account_id: str
    rules: Rules = field(default_factory=Rules)
    account: Account | None = None
    events: list[Event] = field(default_factory=list)
    number: int = 0

    def open(
        self, at: int, *, plan: cmd.Plan = "growth", time_zone: str = "UTC", contacts: Contacts = (), anchor: int
    ) -> Story:
        return self.obey(at, cmd.OpenAccount(self.name(), "crm", plan, "monthly", anchor, time_zone, contacts))

    def obey(self, at: int, command: cmd.Command) -> Story:
        cause = CommandCause("billing.commands", 0, self.number, command.command_id, 0)
        decided, _ = decide_command(self.account_id, self.account, command, at, cause, self.rules)
        return self._take(decided)

    def buy(self, at: int, packs: int, by: str = MAYA) -> Story:
        return self.obey(at, cmd.PurchasePacks(self.name(), by, packs))

    def chat(
        self,
        at: int,
        *,
        end_user: str | None = None,
        bot: str = "concierge",
        widget: Widget = "conversations",
        preview: bool = False,
        conversation: str | None = None,
    ) -> Story:
        """A chat of an end-user who was not here before, unless named."""
        name = self.name()
        interaction = Interaction(
            end_user or f"u-{name}", bot, conversation or f"c-{name}", widget, "end_user", preview, at
        )
        cause = InteractionCause("chat.interactions", 0, self.number, f"e-{name}")
        decided, _ = decide_interaction(self.account, interaction, Memory(), at, cause, self.rules)
        return self._take(decided)

    def chats(self, since: int, until: int, number: int) -> Story:
        """So many chats, spread evenly, of several bots and widgets, some of them previews."""
        for n in range(number):
            at = since + (until - since) * n // number
            self.chat(
                at,
                bot=("concierge", "concierge", "refunds", "onboarding")[n % 4],
                widget="self_service" if n % 3 == 1 else "conversations",
                preview=n % 9 == 4,
            )
        return self

    def tick(self, at: int) -> Story:
        assert self.account is not None
        return self._take(decide_tick(self.account, at, TimerCause(0), self.rules))

    def name(self) -> str:
        self.number += 1
        return f"{self.number:05}"

    def _take(self, decided: list[Event]) -> Story:
        self.events += decided
        self.account = fold(self.account, decided)
        return self


def told_by_mail(events: list[Event], *recipients: str) -> list[Delivery]:
    """What a notifier would have reported of these events' alerts, all of them delivered."""
    alerts = [event for event in events if isinstance(event, ThresholdReached | SessionsExhausted)]
    told = [(alert, f"{alert.account_id}/{alert.version}") for alert in alerts]
    return [
        Delivery(f"{id_}/{n}", alert.account_id, alert.at + 2_000, id_, "email", recipient, "sent", 1, None)
        for alert, id_ in told
        for n, recipient in enumerate(recipients)
    ]


def deliver(engine: Engine, deliveries: list[Delivery], now: int) -> None:
    """Writes what a notifier reported into the read side."""
    Writer(engine, TABLES["a"], "test", "a").write(Batch(deliveries=list(enumerate(deliveries))), now)


def project(engine: Engine, events: list[Event], *, partition: int, now: int, level_at: int) -> None:
    """Writes a partition's journal into the read side, known to be complete at `level_at`."""
    writer = Writer(engine, TABLES["a"], "test", "a")
    for begin in range(0, len(events) or 1, 20_000):
        position = writer.positions(JOURNAL, TOPIC_ID, range(4), now)[partition]
        part = events[begin : begin + 20_000]
        numbered = [(partition, position.next_offset + n, event) for n, event in enumerate(part)]
        end = position.next_offset + len(part)
        event_at = part[-1].at if part else None
        writer.write(Batch(events=numbered, advances=[Advance(position, end, end, event_at, level_at)]), now)
