"""The sentence under each chart's title: what the chart shows, also for screen readers."""

from __future__ import annotations

from botmeter.domain.prices import PriceBook
from botmeter.readside.results import BurnDown, Threshold, UsageSeries
from botmeter.web.page.charts.usage_bars import bucket_name
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import FIXED, about, count, some


def burn_down_caption(burn: BurnDown, total: int, clock: Clock) -> str:
    """Says how many sessions remain, the pace, and when they are likely used up."""
    left = burn.points[-1].remaining if burn.points else 0
    text = f"{count(left)} of {some(total, 'session')} remain."
    forecast = burn.forecast
    if left == 0 and burn.points and burn.is_current:
        return f"{text} Used up since {clock.since(_empty_since(burn))}."
    if forecast is None or not burn.is_current:
        return text
    if not forecast.is_founded:
        return f"{text} There is too little usage yet for a forecast."
    text += f" {count(round(forecast.pace_per_day)) if forecast.pace_per_day >= 1 else 'Less than one'} a day of late"
    if forecast.runs_out_at is None:
        return f"{text}; {about(forecast.left_at_horizon)} likely remain on {clock.day(forecast.horizon_at)}."
    early = clock.day(forecast.earliest_at) if forecast.earliest_at else None
    late = clock.day(forecast.latest_at) if forecast.latest_at else "after the end of the cycle"
    if early is None or early == late:
        return f"{text}; likely used up on {clock.day(forecast.runs_out_at)}."
    if forecast.latest_at is None:
        return f"{text}; likely used up on {clock.day(forecast.runs_out_at)}, at the earliest on {early}."
    return f"{text}; likely used up between {early} and {late}."


def _empty_since(burn: BurnDown) -> int:
    """Returns the start of the latest span without sessions."""
    since = burn.points[-1].at
    for point in reversed(burn.points):
        if point.remaining:
            break
        since = point.at
    return since


def usage_caption(series: UsageSeries, clock: Clock) -> str:
    """Says how many sessions started, how many today, the average, and the busiest hour or day."""
    if not series.total:
        return "No sessions have started in this time."
    past = [bucket for bucket in series.buckets if bucket.starts_at <= clock.now]
    busiest = max(past, key=lambda bucket: bucket.sessions)
    text = f"{some(series.total, 'session')}"
    if series.bucket == "day":
        whole = [bucket.sessions for bucket in past if bucket.ends_at <= clock.now]
        today = [bucket.sessions for bucket in past if bucket.ends_at > clock.now]
        if today:
            text += f", {count(today[0])} so far today"
        if whole:
            text += f", {count(round(sum(whole) / len(whole)))} a day on average"
    return f"{text}. The most were {count(busiest.sessions)} on {bucket_name(busiest, series, clock)}."


def threshold_words(thresholds: tuple[Threshold, ...], recipients: int, clock: Clock) -> dict[int, str]:
    """Returns what each threshold has done or will do, as labels under the bar."""
    return {one.percent: _threshold(one, recipients, clock) for one in thresholds}


def _threshold(one: Threshold, recipients: int, clock: Clock) -> str:
    name = f"{one.percent}{FIXED}%"
    if one.reached_at is not None:
        return f"{name} reached {clock.short_day(one.reached_at)}"
    if one.is_reached:
        return f"{name} passed, no alert"
    return (
        f"{name} will alert {some(recipients, 'person', 'people')}"
        if recipients
        else f"{name} at {count(one.at_sessions)}"
    )


def pack_words(prices: PriceBook, *, is_with_money: bool) -> str:
    """Says what a pack is; only callers who see money can reduce packs."""
    size = f"{some(prices.pack_sessions, 'session')} each"
    return f"{size}, renewed every cycle until you reduce them." if is_with_money else f"{size}, renewed every cycle."
