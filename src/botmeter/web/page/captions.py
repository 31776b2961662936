"""The sentence under each chart's title: what the chart shows, for those who read it and those who hear it."""

from __future__ import annotations

from botmeter.domain.prices import PriceBook
from botmeter.readside.results import BurnDown, Threshold, UsageSeries
from botmeter.web.page.charts.usage_bars import bucket_name
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import FIXED, about, count, some


def burn_down_caption(burn: BurnDown, total: int, clock: Clock) -> str:
    """What remains, the pace, and when it likely ends."""
    left = burn.points[-1].remaining if burn.points else 0
    told = f"{count(left)} of {some(total, 'session')} remain."
    forecast = burn.forecast
    if left == 0 and burn.points and burn.is_current:
        return f"{told} Used up since {clock.since(_empty_since(burn))}."
    if forecast is None or not burn.is_current:
        return told
    if not forecast.is_founded:
        return f"{told} There is too little usage yet for a forecast."
    told += f" {count(round(forecast.pace_per_day)) if forecast.pace_per_day >= 1 else 'Less than one'} a day of late"
    if forecast.runs_out_at is None:
        return f"{told}; {about(forecast.left_at_horizon)} likely remain on {clock.day(forecast.horizon_at)}."
    early = clock.day(forecast.earliest_at) if forecast.earliest_at else None
    late = clock.day(forecast.latest_at) if forecast.latest_at else "after the end of the cycle"
    if early is None or early == late:
        return f"{told}; likely used up on {clock.day(forecast.runs_out_at)}."
    if forecast.latest_at is None:
        return f"{told}; likely used up on {clock.day(forecast.runs_out_at)}, at the earliest on {early}."
    return f"{told}; likely used up between {early} and {late}."


def _empty_since(burn: BurnDown) -> int:
    """The first moment of the last time without sessions."""
    since = burn.points[-1].at
    for point in reversed(burn.points):
        if point.remaining:
            break
        since = point.at
    return since


def usage_caption(series: UsageSeries, clock: Clock) -> str:
    """How many, how many today, the average and the busiest."""
    if not series.total:
        return "No sessions have started in this time."
    past = [bucket for bucket in series.buckets if bucket.starts_at <= clock.now]
    busiest = max(past, key=lambda bucket: bucket.sessions)
    told = f"{some(series.total, 'session')}"
    if series.bucket == "day":
        whole = [bucket.sessions for bucket in past if bucket.ends_at <= clock.now]
        today = [bucket.sessions for bucket in past if bucket.ends_at > clock.now]
        if today:
            told += f", {count(today[0])} so far today"
        if whole:
            told += f", {count(round(sum(whole) / len(whole)))} a day on average"
    return f"{told}. The most were {count(busiest.sessions)} on {bucket_name(busiest, series, clock)}."


def threshold_words(thresholds: tuple[Threshold, ...], recipients: int, clock: Clock) -> dict[int, str]:
    """What each threshold has done or will do, to stand under its mark on the bar."""
    return {one.percent: _threshold(one, recipients, clock) for one in thresholds}


def _threshold(one: Threshold, recipients: int, clock: Clock) -> str:
    name = f"{one.percent}{FIXED}%"
    if one.reached_at is not None:
        return f"{name} reached {clock.short_day(one.reached_at)}"
    if one.is_reached:
        return f"{name} passed, no alert"
    return (
        f"{name} will tell {some(recipients, 'person', 'people')}"
        if recipients
        else f"{name} at {count(one.at_sessions)}"
    )


def pack_words(prices: PriceBook, *, is_with_money: bool) -> str:
    """What a pack is; its price only for those who see money."""
    size = f"{some(prices.pack_sessions, 'session')} each"
    return f"{size}, renewed every cycle until you reduce them." if is_with_money else f"{size}, renewed every cycle."
