"""The running cycle with what can be foreseen of it: moments beyond what the page looks at are none."""

from __future__ import annotations

from dataclasses import replace

from botmeter.readside.queries import Queries
from botmeter.readside.results import BurnDown, Forecast


def running_cycle(queries: Queries, account_id: str, now: int) -> BurnDown | None:
    """What remained over the running cycle, and its forecast up to the cycle's end or how far the chart looks."""
    burn = queries.burn_down(account_id, now)
    return burn if burn is None or burn.forecast is None else replace(burn, forecast=_within(burn.forecast))


def _within(forecast: Forecast) -> Forecast:
    def seen(at: int | None) -> int | None:
        return at if at is not None and at < forecast.horizon_at else None

    return replace(
        forecast,
        runs_out_at=seen(forecast.runs_out_at),
        earliest_at=seen(forecast.earliest_at),
        latest_at=seen(forecast.latest_at),
    )
