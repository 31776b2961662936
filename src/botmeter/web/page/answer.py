"""The main answer of the page, in words: does the bot answer, how long do the sessions last, what happens then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from botmeter.domain.prices import PriceBook
from botmeter.readside.results import AccountDetail, AccountState, Forecast, Suspension
from botmeter.web.page.moments import DAY_MS, Clock
from botmeter.web.page.numbers import about, count, some

Tone = Literal["ok", "near", "out", "closed", "none"]

TONES: Final[dict[AccountState, Tone]] = {"active": "ok", "near_end": "near", "exhausted": "out", "closed": "closed"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer: its tone, the state in a few words, a headline, and the consequences."""

    tone: Tone
    state: str
    headline: str
    lead: str


def answer(
    detail: AccountDetail, forecast: Forecast | None, suspension: Suspension | None, prices: PriceBook, clock: Clock
) -> Answer:
    """Returns the answer at the top of the page."""
    match detail.summary.state:
        case "closed":
            return Answer(
                "closed",
                f"Closed since {clock.since(detail.summary.since)}.",
                "This account is closed. Its bots do not answer.",
                "Nothing is charged any more, and packs do not renew. History, sessions and statements stay here.",
            )
        case "exhausted" if detail.summary.total == 0:
            return _without_sessions(detail, prices, clock)
        case "exhausted":
            return _used_up(detail, suspension, clock)
        case _ if detail.summary.used == 0:
            return _unused(detail, clock)
        case _:
            return _running(detail, forecast, clock)


def _without_sessions(detail: AccountDetail, prices: PriceBook, clock: Clock) -> Answer:
    summary = detail.summary
    state = f"Agents answer since {clock.since(summary.since)}, because there are no sessions."
    if summary.plan == "free" and not summary.cycle_number > 1:
        headline = "Your bots need a pack of sessions before they can answer."
        holds = f"A pack holds {some(prices.pack_sessions, 'session')}."
        return Answer("none", state, headline, f"On the free plan you build bots, and a pack deploys them. {holds}")
    headline = "This cycle has no packs. New chats go to your agents."
    return Answer("out", state, headline, _how_to_resume(detail, clock))


def _used_up(detail: AccountDetail, suspension: Suspension | None, clock: Clock) -> Answer:
    summary = detail.summary
    state = f"Agents answer since {clock.since(summary.since)}, because the sessions are used up."
    chats = suspension.handoffs if suspension else 0
    went = f"{some(chats, 'chat')} went to them since. " if chats else ""
    headline = f"All {some(summary.total, 'session')} are used. New chats go to your agents."
    return Answer("out", state, headline, went + _how_to_resume(detail, clock))


def _how_to_resume(detail: AccountDetail, clock: Clock) -> str:
    summary = detail.summary
    at_once = "The bot answers again as soon as you buy packs"
    if summary.pool == "complimentary" or not summary.packs_next_cycle:
        return f"{at_once}. Sessions that have begun stay with the bot for their 24 hours."
    renewal = f"or on {clock.day(summary.cycle_ends_at)}, when {some(summary.packs_next_cycle, 'pack')} renew"
    verb = renewal + ("s" if summary.packs_next_cycle == 1 else "")
    return f"{at_once}, {verb}. Sessions that have begun stay with the bot for their 24 hours."


def _unused(detail: AccountDetail, clock: Clock) -> Answer:
    summary = detail.summary
    if summary.pool == "complimentary":
        return Answer(
            "ok",
            "The bot answers.",
            f"{some(summary.total, 'complimentary session')} wait for the first chat.",
            "Complimentary sessions do not expire with a cycle. They end when they are used, or when you buy packs.",
        )
    return Answer(
        "ok",
        "The bot answers.",
        f"All {some(summary.total, 'session')} of this cycle are left.",
        f"They can be used in any distribution. What is left expires {clock.end(summary.cycle_ends_at)}.",
    )


def _running(detail: AccountDetail, forecast: Forecast | None, clock: Clock) -> Answer:
    summary = detail.summary
    is_near = summary.state == "near_end"
    state = "Near the end. The bot still answers." if is_near else "The bot answers."
    tone: Tone = "near" if is_near else "ok"
    if forecast is None or not forecast.is_founded:
        headline = f"{some(summary.remaining, 'session')} of {count(summary.total)} are left."
        return Answer(
            tone, state, headline, f"It is too early to say how long they last. {_when_used_up(detail, clock)}"
        )
    if forecast.runs_out_at is None:
        return Answer(tone, state, _lasting(detail, forecast, clock), _spare(detail, clock))
    return Answer(tone, state, _running_out(detail, forecast.runs_out_at, clock), _when_used_up(detail, clock))


def _running_out(detail: AccountDetail, runs_out_at: int, clock: Clock) -> str:
    if detail.auto_recharge is not None:
        bought = some(detail.auto_recharge.packs, "pack")
        return f"At this pace auto-recharge buys {bought} more by {clock.day(runs_out_at)}."
    days = clock.days_until(runs_out_at)
    day = "today" if days <= 0 else "tomorrow" if days == 1 else f"on {clock.day(runs_out_at)}"
    text = f"At this pace your sessions are used up {day}"
    if detail.summary.pool == "complimentary":
        return f"{text}."
    before = clock.days_between(runs_out_at, detail.summary.cycle_ends_at)
    if before <= 0:
        hours = max((detail.summary.cycle_ends_at - runs_out_at) // 3_600_000, 1)
        return f"{text}, {some(hours, 'hour')} before the cycle ends."
    return f"{text}, {some(before, 'day')} before the cycle ends."


def _lasting(detail: AccountDetail, forecast: Forecast, clock: Clock) -> str:
    if detail.summary.pool == "complimentary":
        weeks = (forecast.horizon_at - clock.now) // (7 * DAY_MS)
        return f"At this pace your complimentary sessions last for more than {some(max(weeks, 1), 'week')}."
    last, spare = clock.day(detail.summary.cycle_ends_at - 1), about(forecast.left_at_horizon)
    return f"Your sessions last to the end of the cycle on {last}, with {spare} to spare."


def _when_used_up(detail: AccountDetail, clock: Clock) -> str:
    """Says what happens when the sessions run out."""
    if detail.auto_recharge is not None:
        return (
            f"It buys when fewer than {count(detail.auto_recharge.below)} are left. The bot goes on without a break, "
            "and each purchase renews with every cycle until you reduce it."
        )
    del clock
    return (
        "After that, new chats in the conversations widget go to your agents and the self-service widget stops. "
        "Sessions that have begun stay with the bot for their 24 hours."
    )


def _spare(detail: AccountDetail, clock: Clock) -> str:
    summary = detail.summary
    if summary.pool == "complimentary":
        return "They do not expire with a cycle. They end when they are used, or when you buy packs."
    left = f"What is left expires {clock.end(summary.cycle_ends_at)}"
    if not summary.packs_next_cycle:
        return f"{left}. No packs renew after it: from then on chats go to your agents."
    start = "starts" if summary.packs_next_cycle == 1 else "start"
    return f"{left}, and {some(summary.packs_next_cycle, 'pack')} {start} the next cycle."
