"""The settings of an account: their current values, and what a change would do, shown before it is saved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle, boundaries_around
from botmeter.domain.prices import PriceBook
from botmeter.readside.results import AccountDetail, AutoRecharge, Forecast
from botmeter.web.page.contacts import contacts_shown
from botmeter.web.page.moments import DAY_MS, Clock
from botmeter.web.page.numbers import FIXED, count, money, some
from botmeter.web.page.overview import PACKS_MAX
from botmeter.web.page.timeline import CYCLES, PLANS

#: The limit that the form offers while auto-recharge is off.
BELOW: Final = 500
_PERCENT: Final = re.compile(r"\d{1,3}")


def settings_page(
    detail: AccountDetail,
    forecast: Forecast | None,
    prices: PriceBook,
    clock: Clock,
    *,
    may_change: bool,
    is_with_money: bool,
) -> dict[str, Any]:
    """Returns the context of the page."""
    recharge = detail.auto_recharge or AutoRecharge(BELOW, 1)
    visible_prices = prices if is_with_money else None
    percents = [threshold.percent for threshold in detail.thresholds]
    return {
        "can_change": may_change and detail.summary.state != "closed",
        "packs_max": PACKS_MAX,
        "recharge": {
            "below": recharge.below,
            "packs": recharge.packs,
            "lines": recharge_lines(detail, forecast, visible_prices, recharge, clock),
        },
        "thresholds": {"text": ", ".join(map(str, percents)), "lines": threshold_lines(detail, percents, clock)},
        "contacts": contacts_shown(detail.contacts),
        "cycle": {"lines": cycle_lines(detail, detail.next_billing_cycle, clock)},
        "plan": {"lines": plan_lines(detail, detail.summary.plan, prices)},
        "credit_words": credit_words(detail, clock),
    }


def recharge_lines(
    detail: AccountDetail, forecast: Forecast | None, prices: PriceBook | None, wanted: AutoRecharge, clock: Clock
) -> list[str]:
    """Says what auto-recharge would buy, when, and for how much (`A11`); without prices for those who see no money."""
    if not wanted.packs:
        return ["With 0 packs it is off."]
    summary = detail.summary
    price = f" for {money(prices.charge(wanted.packs))}" if prices else ""
    buys = f"{some(wanted.packs, 'pack')}{price}"
    if summary.pool == "complimentary":
        lines = [f"Buys {buys} once the complimentary sessions are used up, not before."]
    elif summary.remaining < wanted.below:
        lines = [
            f"Only {count(summary.remaining)} remain, fewer than {count(wanted.below)}: the next session buys {buys}."
        ]
    else:
        when = f"when fewer than {count(wanted.below)} of {count(summary.total)} remain."
        lines = [f"Next charge: {buys}, {when}{_likely(summary.remaining - wanted.below, forecast, clock)}"]
    if summary.state == "exhausted":
        lines = [f"The sessions are used up: the next chat buys {buys}, and the bot answers it."]
    return [*lines, "Each purchase renews with every cycle until you reduce it."]


def _likely(sessions: int, forecast: Forecast | None, clock: Clock) -> str:
    if forecast is None or not forecast.is_founded:
        return ""
    at = clock.now + int(sessions / forecast.pace_per_day * DAY_MS)
    return f" Likely on {clock.day(at)}." if at < forecast.horizon_at else " Not likely in this cycle."


def parse_percents(text: str) -> list[int]:
    """Returns the percentages in a person's text, with any punctuation, ascending."""
    return sorted({int(found) for found in _PERCENT.findall(text)})


def threshold_lines(detail: AccountDetail, percents: Sequence[int], clock: Clock) -> list[str]:
    """Says for each percentage at how many sessions it alerts, or that it no longer does (`T1`)."""
    summary = detail.summary
    if not percents:
        return ["No early warning: an alert is sent when the last session is used."]
    lines = []
    for percent in percents:
        name = f"{percent}{FIXED}%"
        at = -(-percent * summary.total // 100)
        reached = next((one.reached_at for one in detail.thresholds if one.percent == percent), None)
        if not 1 <= percent <= 99:
            lines.append(f"{name}: from 1 to 99 is possible.")
        elif not summary.total:
            lines.append(f"{name}: an alert is sent once there are sessions and so many are used.")
        elif reached is not None:
            lines.append(f"{name}: alert sent on {clock.day(reached)}.")
        elif summary.used >= at:
            lines.append(f"{name} is passed already: no alert now, but in the next cycle or after a purchase.")
        else:
            lines.append(f"{name}: alert at {some(at, 'session')}, {count(at - summary.used)} from now.")
    return lines


def cycle_lines(detail: AccountDetail, wanted: BillingCycle, clock: Clock) -> list[str]:
    """Says when a cycle of another length would begin and end (`A9`)."""
    ends_at = detail.cycle.ends_at
    now = f"This cycle, a {CYCLES[detail.cycle.billing_cycle]}, ends {clock.end(ends_at)}."
    if wanted == detail.cycle.billing_cycle:
        return [now, f"The next one is a {CYCLES[wanted]} too."]
    following = boundaries_around(ends_at, detail.summary.time_zone, wanted, ends_at)
    return [
        now,
        f"The next one is a {CYCLES[wanted]}, {clock.span(*following)}.",
        "Its packs hold as many sessions as before, for the whole of it.",
    ]


def plan_lines(detail: AccountDetail, wanted: Plan, prices: PriceBook) -> list[str]:
    """Says what moving to another plan would change (`A1`, `A2`)."""
    summary = detail.summary
    if wanted == summary.plan:
        return [f"The account is on {PLANS[wanted]}."]
    if wanted == "free" and summary.pool == "complimentary":
        return [
            f"The {some(summary.remaining, 'complimentary session')} that are left end at once, and chats go to agents."
        ]
    if wanted == "free":
        return ["Bots go on as long as there are packs."]
    if summary.plan == "free" and not detail.complimentary_granted and summary.pool == "none":
        return [
            f"Brings {some(prices.complimentary_sessions, 'complimentary session')}, once. The bots answer at once."
        ]
    return ["Sessions stay as they are."]


def credit_words(detail: AccountDetail, clock: Clock) -> str:
    """Says how long a credit lasts (`A10`)."""
    if detail.summary.pool == "complimentary":
        return "They last as long as the complimentary ones."
    return f"What is left of them expires {clock.end(detail.cycle.ends_at)}."
