"""The page of one account: the context of each of its parts, made from the results of the queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlencode

from botmeter.domain.prices import PriceBook
from botmeter.readside.results import (
    AccountDetail,
    Bucket,
    BurnDown,
    Forecast,
    Suspension,
    UsageBucket,
    UsageBy,
    UsageSeries,
)
from botmeter.web.page.answer import answer
from botmeter.web.page.captions import burn_down_caption, pack_words, threshold_words, usage_caption
from botmeter.web.page.charts.allowance_bar import allowance_bar, threshold_labels
from botmeter.web.page.charts.burn_down import burn_down_chart
from botmeter.web.page.charts.usage_bars import bucket_name, part_names, usage_chart
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import count, signed
from botmeter.web.page.offers import buy_offer, reduce_offer

#: A larger number is more likely a typing error than intended.
PACKS_MAX: Final = 1_000
_PART_NAMES: Final = {
    "conversations": "conversations widget",
    "self_service": "self-service widget",
    "live": "live",
    "preview": "previews",
}
_STEPS: Final = {
    "opened": "cycle began",
    "granted": "complimentary sessions granted",
    "purchased": "packs bought",
    "recharged": "auto-recharge",
    "credited": "goodwill credit",
    "forfeited": "complimentary sessions ended",
    "renewed": "packs renewed",
    "expired": "unused sessions expired",
}


@dataclass(frozen=True, slots=True)
class UsageView:
    """The options of the usage chart; its fields are the page's URL parameters, as in the API."""

    bucket: Bucket = "day"
    by: UsageBy | None = "mode"
    is_cumulative: bool = False
    span: Literal["cycle", "day"] = "cycle"

    def query(self, **changed: Any) -> str:
        """Returns the options as URL parameters, some of them changed."""
        parameters = {
            "bucket": changed.get("bucket", self.bucket),
            "by": changed.get("by", self.by) or "none",
            "cumulative": "true" if changed.get("is_cumulative", self.is_cumulative) else "false",
        }
        return urlencode(parameters)


def live_part(
    detail: AccountDetail, forecast: Forecast | None, suspension: Suspension | None, prices: PriceBook, clock: Clock
) -> dict[str, Any]:
    """Returns the answer and the bar."""
    words = threshold_words(detail.thresholds, len(detail.contacts), clock)
    return {
        "answer": answer(detail, forecast, suspension, prices, clock),
        "bar": allowance_bar(detail),
        "bar_labels": threshold_labels(detail.thresholds, detail.summary.total, words),
        "threshold_words": words,
    }


def burn_down_part(burn: BurnDown, total: int, clock: Clock) -> dict[str, Any]:
    """Returns the burn-down: caption, chart and table."""
    return {
        "burn_down_says": burn_down_caption(burn, total, clock),
        "burn_down_chart": burn_down_chart(burn, clock, "burn-down-says"),
        "burn_down_rows": list(_burn_down_rows(burn, clock)),
    }


def _burn_down_rows(burn: BurnDown, clock: Clock) -> Iterable[dict[str, str]]:
    """Yields steps, the end of each day, and the forecast, in order of time."""
    rows: list[tuple[int, int, dict[str, str]]] = []
    last_of_day = {clock.calendar_day(point.at): point for point in burn.points}
    before: int | None = None
    for point in last_of_day.values():
        moved = "" if before is None else signed(point.remaining - before)
        rows.append((point.at, 0, _row(clock.short_day(point.at), moved, count(point.remaining), "end of the day")))
        before = point.remaining
    for step in burn.steps:
        when = f"{clock.short_day(step.at)} {clock.time(step.at)}"
        rows.append((step.at, 1, _row(when, signed(step.sessions), count(step.remaining), _STEPS[step.kind])))
    if burn.forecast and burn.is_current:
        for ahead in burn.forecast.points[1:]:
            what = f"forecast, {count(ahead.low)} to {count(ahead.high)}"
            rows.append((ahead.at, 2, _row(clock.short_day(ahead.at), "", count(ahead.expected), what)))
    return (row for _, _, row in sorted(rows, key=lambda one: one[:2]))


def _row(when: str, moved: str, remaining: str, what: str) -> dict[str, str]:
    return {"when": when, "moved": moved, "remaining": remaining, "what": what}


def usage_part(series: UsageSeries, view: UsageView, clock: Clock) -> dict[str, Any]:
    """Returns sessions by hour or day, with the switches of the chart."""
    parts = part_names(series, _PART_NAMES) if series.keys else ()
    chart = usage_chart(series, clock, "usage-says", _PART_NAMES, cumulative=view.is_cumulative) if series.total else ""

    def name_of(bucket: UsageBucket) -> str:
        return bucket_name(bucket, series, clock)

    return {
        "usage": {
            "series": series,
            "says": usage_caption(series, clock),
            "chart": chart,
            "parts": parts,
            "columns": [_PART_NAMES.get(key, key) for key in series.keys],
            "bucket_name": name_of,
            "query": view.query(),
            "choices": _choices(view),
        }
    }


def _choices(view: UsageView) -> list[dict[str, Any]]:
    """Returns the switches above the chart."""

    def option(key: str, name: str, *, is_on: bool, **changed: Any) -> dict[str, Any]:
        return {"key": key, "name": name, "is_on": is_on, "query": view.query(**changed)}

    return [
        {
            "name": "Each bar is",
            "options": [
                option("day", "by day", is_on=view.bucket == "day", bucket="day"),
                option("hour", "by hour", is_on=view.bucket == "hour", bucket="hour"),
            ],
        },
        {
            "name": "Split by",
            "options": [
                option("mode", "live or preview", is_on=view.by == "mode", by="mode"),
                option("widget", "widget", is_on=view.by == "widget", by="widget"),
                option("bot", "bot", is_on=view.by == "bot", by="bot"),
            ],
        },
        {
            "name": "Counted",
            "options": [
                option("each", "each", is_on=not view.is_cumulative, is_cumulative=False),
                option("sum", "cumulative", is_on=view.is_cumulative, is_cumulative=True),
            ],
        },
    ]


def packs_part(
    detail: AccountDetail,
    forecast: Forecast | None,
    prices: PriceBook,
    clock: Clock,
    *,
    may_buy: bool,
    is_with_money: bool,
    packs: int = 1,
) -> dict[str, Any]:
    """Returns the packs of this and the next cycle, and the forms that change them."""
    is_open = detail.summary.state != "closed"
    can_reduce = may_buy and is_open and detail.summary.packs_next_cycle > 0
    return {
        "pack_words": pack_words(prices, is_with_money=is_with_money),
        "packs_max": PACKS_MAX,
        "buy": buy_offer(detail, forecast, prices, packs, clock) if may_buy and is_open else None,
        "reduce": reduce_offer(detail, forecast, prices, 1, clock) if can_reduce else None,
    }
