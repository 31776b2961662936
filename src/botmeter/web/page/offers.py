"""What buying or reducing packs costs and does, shown before the user confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from botmeter.domain.cycles import BillingCycle
from botmeter.domain.prices import PriceBook
from botmeter.readside.results import AccountDetail, Forecast
from botmeter.web.page.moments import DAY_MS, Clock, lasting
from botmeter.web.page.numbers import count, money, some

EVERY: Final[dict[BillingCycle, str]] = {
    "monthly": "every month",
    "quarterly": "every quarter",
    "half_yearly": "every half-year",
    "annual": "every year",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A command that a form can send, in words. `is_open`: its form is shown unfolded."""

    packs: int
    headline: str
    sentence: str
    lines: tuple[str, ...]
    button: str
    is_valid: bool = True
    is_open: bool = False


def buy_offer(detail: AccountDetail, forecast: Forecast | None, prices: PriceBook, packs: int, clock: Clock) -> Offer:
    """Describes buying `packs` packs (`A5`, `A7`)."""
    summary, sessions = detail.summary, packs * prices.pack_sessions
    price = money(prices.charge(packs))
    is_first = summary.pool == "complimentary"
    remaining = sessions + (0 if is_first else summary.remaining)
    total = sessions + (0 if is_first else summary.total)
    lines = []
    if summary.state == "exhausted":
        lines.append("The bot answers again at once. Chats that went to agents stay with them.")
    if is_first and summary.remaining:
        lines.append(
            f"The first pack replaces the complimentary sessions: the {count(summary.remaining)} that are left end now."
        )
    lines.append(
        f"After it {count(remaining)} of {some(total, 'session')} remain.{_lasts(remaining, detail, forecast, clock)}"
    )
    lines.append(f"The cycle does not get longer: what is left expires {clock.end(summary.cycle_ends_at)}.")
    renewing = summary.packs_next_cycle + packs
    lines.append(
        f"From then on {some(renewing, 'pack')} for {money(prices.charge(renewing))} "
        f"{EVERY[detail.next_billing_cycle]}, until you reduce them."
    )
    return Offer(
        packs,
        f"{price} now.",
        f"{some(sessions, 'session')} at once, in this cycle and in every next one.",
        tuple(lines),
        f"Buy {some(packs, 'pack')} for {price}",
    )


def _lasts(remaining: int, detail: AccountDetail, forecast: Forecast | None, clock: Clock) -> str:
    """Says how long the sessions last at the recent pace."""
    if forecast is None or not forecast.is_founded:
        return ""
    days = remaining / forecast.pace_per_day
    until = clock.now + int(days * DAY_MS)
    if until >= detail.summary.cycle_ends_at:
        return " At this pace they last to the end of the cycle."
    return f" At this pace they last {lasting(days)}, to {clock.day(until)}."


def reduce_offer(
    detail: AccountDetail, forecast: Forecast | None, prices: PriceBook, packs: int, clock: Clock
) -> Offer:
    """Describes having `packs` packs fewer from the next cycle on (`A7`)."""
    summary = detail.summary
    packs = min(packs, summary.packs_next_cycle)
    left, date = summary.packs_next_cycle - packs, clock.day(summary.cycle_ends_at)
    lines = [f"This cycle keeps its {some(summary.packs, 'pack')}; nothing is refunded."]
    if left:
        lines.append(
            f"From {date} {some(left * prices.pack_sessions, 'session')} for {money(prices.charge(left))} a cycle."
        )
    else:
        lines.append(f"From {date} there are no sessions: chats go to your agents.")
    lines += _shortage(detail, forecast, prices, left, clock)
    lines.append("You can undo it until then.")
    headline = f"{some(left, 'pack')} from {date}." if left else f"No packs from {date}."
    saved = f"{money(prices.charge(packs))} less a cycle."
    return Offer(packs, headline, saved, tuple(lines), f"Reduce to {some(left, 'pack')}", is_valid=packs >= 1)


def _shortage(
    detail: AccountDetail, forecast: Forecast | None, prices: PriceBook, left: int, clock: Clock
) -> list[str]:
    """Returns a warning when the packs that stay would not last a cycle at the recent pace."""
    if forecast is None or not forecast.is_founded or not left:
        return []
    days = clock.days_between(detail.cycle.starts_at, detail.cycle.ends_at)
    needed = forecast.pace_per_day * days
    if needed <= left * prices.pack_sessions:
        return []
    lasts = lasting(left * prices.pack_sessions / forecast.pace_per_day)
    return [f"At this pace they would last {lasts} of a cycle of {days} days."]
