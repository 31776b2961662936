"""The counter of one account, restated from the rules in plain arithmetic: the yardstick of the properties.

It knows neither events nor versions and shares nothing with the domain: an account in UTC whose windows are a list of
starts, whose thresholds are crossings, whose calendar is counted out by hand. It assumes the setting `new_sessions`
and a broker's time that never steps back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

HOUR = 3_600_000
DAY = 24 * HOUR
#: How far an end-user's clock may be ahead of the broker's.
AHEAD = HOUR // 12
MONTHS = {"monthly": 1, "quarterly": 3, "half_yearly": 6, "annual": 12}


def months_later(anchor_ms: int, months: int) -> int:
    """So many calendar months after the anchor, UTC; the last day of a month stands in for days it lacks (A4)."""
    anchor = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=anchor_ms)
    year, month0 = anchor.year + (anchor.month - 1 + months) // 12, (anchor.month - 1 + months) % 12
    day = anchor.day
    while True:
        try:
            moved = anchor.replace(year=year, month=month0 + 1, day=day)
        except ValueError:
            day -= 1
        else:
            return round((moved - datetime.fromtimestamp(0, UTC)) / timedelta(milliseconds=1))


@dataclass
class Past:
    """The cycle before the current one (A13)."""

    starts_at: int
    pool: str
    total: int
    used: int


@dataclass
class Reference:
    """One account and what was announced of it, as (what, why) in order."""

    pack_size: int
    complimentary: int
    plan: str = "free"
    status: str = "active"
    pool: str = "none"
    total: int = 0
    used: int = 0
    packs: int = 0
    packs_next: int = 0
    was_granted: bool = False
    thresholds: tuple[int, ...] = (80,)
    recharge: tuple[int, int] = (0, 0)
    anchor: int = 0
    months: int = 1
    months_next: int = 1
    cycle_number: int = 1
    cycle_index: int = 0
    past: Past | None = None
    starts: dict[tuple[str, bool], list[int]] = field(default_factory=dict)
    handed_off: dict[str, int] = field(default_factory=dict)
    answers: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    announced: list[tuple[str, object]] = field(default_factory=list)

    # --- Calendar and cycles ---

    @property
    def starts_at(self) -> int:
        return months_later(self.anchor, self.cycle_index * self.months)

    @property
    def ends_at(self) -> int:
        return months_later(self.anchor, (self.cycle_index + 1) * self.months)

    def roll(self, now: int) -> None:
        while self.status != "closed" and self.ends_at <= now:
            boundary = self.ends_at
            self.past = Past(self.starts_at, self.pool, self.total, self.used)
            self.cycle_number += 1
            if self.months_next == self.months:
                self.cycle_index += 1
            else:
                self.anchor, self.months, self.cycle_index = boundary, self.months_next, 0
            self.packs = self.packs_next
            if self.pool != "complimentary":
                self.pool = "purchased" if self.packs else "none"
                self.total, self.used = self.packs * self.pack_size, 0
            self.judge("cycle_started")

    def judge(self, reason: str) -> None:
        """Suspends an active account without sessions, resumes an exhausted one that has some (T3, T5)."""
        if self.status == "active" and self.used == self.total:
            self.status = "exhausted"
            if self.total:
                self.announced.append(("alert", 100))
            self.announced.append(("suspended", "sessions_exhausted" if self.total else "no_sessions"))
        elif self.status == "exhausted" and self.used < self.total:
            self.status = "active"
            self.announced.append(("resumed", reason))

    # --- Interactions ---

    def say(self, now: int, occurred: int, end_user: str, conversation: str, widget: str, *, preview: bool) -> str:
        """What becomes of an end-user's interaction with a bot."""
        self.roll(now)
        if occurred > now + AHEAD:
            return "in_future"
        if occurred < now - 48 * HOUR:
            return "too_late"
        if self.status == "closed":
            return "account_closed"
        starts = self.starts.setdefault((end_user, preview), [])
        if any(abs(occurred - start) < DAY for start in starts):
            return "covered"
        if self.counts_in_the_past(occurred) or self.charge():
            starts.append(occurred)
            return "started"
        return self.refuse(now, occurred, conversation, is_chat=widget == "conversations" and not preview)

    def counts_in_the_past(self, occurred: int) -> bool:
        past = self.past
        if past is None or not past.starts_at <= occurred < self.starts_at:
            return False
        if past.pool != "purchased" or past.used == past.total:
            return False
        past.used += 1
        return True

    def charge(self) -> bool:
        """Charges the current pool, recharging it at most once (A11); says whether there was a session."""
        below, packs = self.recharge
        may_recharge = packs > 0
        if self.used == self.total and may_recharge:
            self.buy(packs)
            may_recharge = False
        if self.used == self.total:
            return False
        before, self.used = self.used, self.used + 1
        for percent in self.thresholds:
            if before * 100 < percent * self.total <= self.used * 100:
                self.announced.append(("alert", percent))
        left = self.total - self.used
        if may_recharge and left < below and (self.pool != "complimentary" or left == 0):
            self.buy(packs)
        self.judge("")
        return True

    def refuse(self, now: int, occurred: int, conversation: str, *, is_chat: bool) -> str:
        last = self.handed_off.get(conversation)
        if not is_chat or (last is not None and (now - last < DAY or occurred - last <= AHEAD)):
            return "refused"
        self.handed_off[conversation] = now
        self.announced.append(("handed_off", conversation))
        return "handed_off"

    # --- Commands ---

    def obey(self, now: int, command_id: str, name: object, *what: object) -> str | None:
        """Does what a command asks; returns None or the reason of the refusal, the same for the same id (C1)."""
        self.roll(now)
        if command_id in self.answers and now - self.answers[command_id][0] <= 30 * DAY:
            return self.answers[command_id][1]
        refusal: str | None
        if name == "invalid" or self.status == "closed":
            refusal = "invalid" if name == "invalid" else "account_closed"
        else:
            refusal = getattr(self, str(name))(*what)
        self.answers[command_id] = (now, refusal)
        return refusal

    def open(self, now: int, plan: str, billing_cycle: str, anchor: int) -> None:
        self.plan, self.anchor = plan, anchor
        self.months = self.months_next = MONTHS[billing_cycle]
        while self.ends_at <= now:
            self.cycle_index += 1
        while self.starts_at > now:
            self.cycle_index -= 1
        self.grant()
        self.judge("")

    def grant(self) -> None:
        if self.plan != "free" and not self.was_granted and self.pool == "none":
            self.pool, self.total, self.used, self.was_granted = "complimentary", self.complimentary, 0, True

    def change_plan(self, plan: str) -> None:
        old, self.plan = self.plan, plan
        if plan == "free" and self.pool == "complimentary":
            self.pool, self.total, self.used = "none", 0, 0
        if old == "free":
            self.grant()
        self.judge("plan_changed")

    def purchase(self, packs: int) -> None:
        self.buy(packs)

    def buy(self, packs: int) -> None:
        if self.pool == "complimentary":
            self.total, self.used = 0, 0
        self.pool = "purchased"
        self.total += packs * self.pack_size
        self.packs += packs
        self.packs_next += packs
        self.judge("packs_purchased")

    def reduce(self, packs: int) -> str | None:
        if packs > self.packs_next:
            return "reduces_below_zero"
        self.packs_next -= packs
        return None

    def cancel_reduction(self) -> str | None:
        if self.packs_next == self.packs:
            return "no_pending_reduction"
        self.packs_next = self.packs
        return None

    def change_billing_cycle(self, billing_cycle: str) -> None:
        self.months_next = MONTHS[billing_cycle]

    def credit(self, count: int) -> None:
        if self.pool == "none":
            self.pool = "purchased"
        self.total += count
        self.judge("sessions_credited")

    def set_thresholds(self, percents: tuple[int, ...]) -> None:
        self.thresholds = percents

    def set_auto_recharge(self, below: int, packs: int) -> None:
        self.recharge = (below, packs)

    def close(self) -> None:
        if self.status == "active":
            self.announced.append(("suspended", "account_closed"))
        self.status = "closed"
