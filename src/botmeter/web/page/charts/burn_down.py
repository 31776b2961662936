"""The burn-down of a cycle's sessions: remaining sessions, purchases as steps, thresholds, forecast and cycle end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from botmeter.readside.results import BurnDown, Forecast, RemainingPoint, Step
from botmeter.web.page.charts import svg
from botmeter.web.page.charts.axes import (
    CANVASES,
    CHARACTER,
    Canvas,
    Scale,
    dates,
    day_ticks,
    grid,
    steps_up_to,
    thinned,
)
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import count, signed, some

#: Steps drawn as a jump with a label; the start and the end of a cycle need none.
_NAMED: Final = {"purchased": "bought", "recharged": "auto-recharge", "credited": "credit"}
#: A label above the plot takes this many pixels of height.
_ROW: Final = 17


@dataclass(frozen=True, slots=True)
class _Plot:
    """One drawing: its canvas, scales and clock."""

    canvas: Canvas
    x: Scale
    y: Scale
    clock: Clock


def burn_down_chart(burn: BurnDown, clock: Clock, labelled_by: str) -> Markup:
    """Returns the chart in each width, as `<svg>` elements of which the stylesheet shows one."""
    highest = max([p.remaining for p in burn.points] + [line.remaining for line in burn.thresholds] + [4])
    ticks = steps_up_to(highest)
    return svg.group(_drawn(burn, clock, canvas, ticks, labelled_by) for canvas in CANVASES)


def _drawn(burn: BurnDown, clock: Clock, canvas: Canvas, ticks: tuple[int, ...], labelled_by: str) -> Markup:
    x = Scale(burn.cycle.starts_at, _shown_until(burn), canvas.left, canvas.width - canvas.right)
    y = Scale(0, ticks[-1], canvas.baseline, canvas.top)
    plot = _Plot(canvas, x, y, clock)
    course = thinned([(x(p.at), y(p.remaining)) for p in _from_the_first_sessions(burn.points)])
    parts = [
        grid(canvas, ticks, y),
        dates(canvas, day_ticks(clock, burn.cycle.starts_at, _shown_until(burn), canvas.dates), x),
        _suspensions(burn, plot),
        _thresholds(burn, plot),
        svg.area(course, canvas.baseline, "area") if course else Markup(),
        _forecast(burn, plot) if burn.forecast and burn.is_current else Markup(),
        _steps(burn.steps, plot),
        svg.path(course, "line") if course else Markup(),
        _end(burn, plot) if _shown_until(burn) == burn.cycle.ends_at else Markup(),
        _threshold_names(burn, plot),
        _now(burn, plot) if burn.is_current and course else Markup(),
        svg.line(0, canvas.top, 0, canvas.baseline, "cursor"),
        svg.element("circle", cx=0, cy=0, r=4.5, class_="cursor-dot"),
    ]
    return svg.element(
        "svg",
        *parts,
        viewBox=f"0 0 {canvas.width} {canvas.height}",
        class_=canvas.name,
        role="img",
        aria_labelledby=labelled_by,
        data_points=json.dumps(_readings(burn, plot), separators=(",", ":")),
        data_baseline=canvas.baseline,
    )


def _from_the_first_sessions(points: Sequence[RemainingPoint]) -> Sequence[RemainingPoint]:
    """Drops the point of the account's opening, when there were no sessions yet."""
    return points[1:] if len(points) > 1 and not points[0].remaining and points[1].at == points[0].at else points


def _shown_until(burn: BurnDown) -> int:
    """Returns the cycle's end, or the forecast's horizon if it is later: some sessions do not expire with the cycle."""
    horizon_at = burn.forecast.horizon_at if burn.is_current and burn.forecast else 0
    return max(burn.cycle.ends_at, horizon_at)


def _readings(burn: BurnDown, plot: _Plot) -> list[list[object]]:
    """Returns the points that show a text under the pointer: x, y, text."""
    every = -(-len(burn.points) // 160) or 1
    past = [
        [
            round(plot.x(p.at), 1),
            round(plot.y(p.remaining), 1),
            f"{plot.clock.short_day(p.at)}, {plot.clock.time(p.at)}\n{some(p.remaining, 'session')} remain",
        ]
        for n, p in enumerate(burn.points)
        if n % every == 0 or n == len(burn.points) - 1
    ]
    ahead = burn.forecast.points[1:] if burn.forecast and burn.is_current else ()
    return past + [
        [
            round(plot.x(p.at), 1),
            round(plot.y(p.expected), 1),
            f"{plot.clock.short_day(p.at)}, likely\n{count(p.expected)} remain, {count(p.low)} to {count(p.high)}",
        ]
        for p in ahead
    ]


def _suspensions(burn: BurnDown, plot: _Plot) -> Markup:
    """Marks the spans without sessions, in which agents answer."""
    spans = [(a.at, b.at) for a, b in pairwise(burn.points) if a.remaining == 0 and b.at > a.at]
    height = plot.canvas.baseline - plot.canvas.top
    areas = svg.group(
        svg.element(
            "rect",
            x=plot.x(since),
            y=plot.canvas.top,
            width=max(plot.x(until) - plot.x(since), 1.0),
            height=height,
            class_="suspended",
        )
        for since, until in spans
    )
    return areas + (_used_up(_joined(spans), plot) if spans else Markup())


def _joined(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Joins the adjacent spans at the end into one."""
    since, until = spans[-1]
    for earlier_since, earlier_until in reversed(spans[:-1]):
        if earlier_until < since:
            break
        since = earlier_since
    return since, until


def _used_up(span: tuple[int, int], plot: _Plot) -> Markup:
    """Labels the last of the spans with its start."""
    since, _ = span
    place, words = plot.x(since), f"used up {plot.clock.short_day(since)}, {plot.clock.time(since)}"
    fits = place + (len(words) + 2) * CHARACTER < plot.canvas.width - plot.canvas.right
    start, anchor = (place + 9, "start") if fits else (place - 9, "end")
    return svg.line(place, plot.canvas.baseline - 78, place, plot.canvas.baseline, "runout out") + svg.text(
        start, plot.canvas.baseline - 70, words, anchor=anchor, class_="out halo"
    )


def _thresholds(burn: BurnDown, plot: _Plot) -> Markup:
    """Draws the levels at which alerts are sent."""
    edge = plot.canvas.width - plot.canvas.right
    levels = [plot.y(threshold.remaining) for threshold in burn.thresholds]
    return svg.group(svg.line(plot.canvas.left, level, edge, level, "threshold") for level in levels)


def _threshold_names(burn: BurnDown, plot: _Plot) -> Markup:
    """Labels the thresholds at the left, where the line is mostly above them; a label without room is left out."""
    parts, lowest = [], plot.canvas.top
    for threshold in sorted(burn.thresholds, key=lambda one: -one.remaining):
        level = plot.y(threshold.remaining)
        if level - lowest > _ROW:
            words = f"{threshold.percent}\u00a0% used"
            parts.append(svg.text(plot.canvas.left + 8, level - 5, words, class_="halo"))
            lowest = int(level)
    return svg.group(parts)


def _steps(steps: tuple[Step, ...], plot: _Plot) -> Markup:
    """Draws a line and a label for every addition of sessions; labels that would overlap go into separate rows."""
    parts: list[Markup] = []
    row_ends: list[float] = []
    for step in (one for one in steps if one.kind in _NAMED):
        place = plot.x(step.at)
        words = (
            f"{signed(step.sessions)} {_NAMED[step.kind]}" if plot.canvas.name != "narrow" else signed(step.sessions)
        )
        length = len(words) * CHARACTER
        is_right = place + length + 8 > plot.canvas.width - plot.canvas.right
        start = place - length - 6 if is_right else place + 6
        row = next((n for n, end in enumerate(row_ends) if end < start), len(row_ends))
        row_ends[row : row + 1] = [start + length + 10]
        top = plot.canvas.top + row * _ROW
        parts.append(svg.line(place, top - 8, place, plot.canvas.baseline, "event"))
        if row < 3:  # further ones are in the table
            parts.append(
                svg.text(
                    place + (-6 if is_right else 6),
                    top + 2,
                    words,
                    anchor="end" if is_right else "start",
                    class_="strong halo",
                )
            )
    return svg.group(parts)


def _forecast(burn: BurnDown, plot: _Plot) -> Markup:
    """Draws the forecast and its band."""
    forecast = burn.forecast
    if forecast is None or len(forecast.points) < 2 or forecast.pace_per_day <= 0:
        return Markup()
    tone = "" if forecast.runs_out_at else " safe"
    upper = [(plot.x(p.at), plot.y(p.high)) for p in forecast.points]
    lower = [(plot.x(p.at), plot.y(p.low)) for p in forecast.points]
    likely = [(plot.x(p.at), plot.y(p.expected)) for p in forecast.points if p.expected > 0 or not forecast.runs_out_at]
    if forecast.runs_out_at:
        likely.append((plot.x(forecast.runs_out_at), plot.canvas.baseline))
    band = svg.path([*upper, *reversed(lower)], f"band{tone}", closed="Z")
    return band + svg.path(likely, f"projection{tone}") + _run_out(forecast, plot)


def _run_out(forecast: Forecast, plot: _Plot) -> Markup:
    if forecast.runs_out_at is None:
        return Markup()
    place, words = plot.x(forecast.runs_out_at), plot.clock.short_day(forecast.runs_out_at)
    if plot.canvas.name != "narrow":
        words = f"likely used up {words}"
    length = len(words) * (CHARACTER + 0.4)
    top = plot.canvas.baseline - 78
    fits = place + length + 6 < plot.canvas.width - plot.canvas.right
    label = svg.text(place + (6 if fits else 0), top + 4, words, anchor="start" if fits else "end", class_="near halo")
    if not fits:
        label = svg.text(plot.canvas.width - plot.canvas.right - 6, top - 6, words, anchor="end", class_="near halo")
    return svg.line(place, top, place, plot.canvas.baseline, "runout") + label


def _end(burn: BurnDown, plot: _Plot) -> Markup:
    """Draws the cycle's end, with a label above the plot."""
    ends_at = burn.cycle.ends_at
    edge = plot.x(ends_at)
    verb = "ends" if burn.is_current else "ended"
    words = f"cycle {verb} {plot.clock.short_end(ends_at)}"
    return svg.line(edge, plot.canvas.top - 10, edge, plot.canvas.baseline, "end") + svg.text(
        edge, plot.canvas.top - 18, words, anchor="end"
    )


def _now(burn: BurnDown, plot: _Plot) -> Markup:
    last = burn.points[-1]
    tone = "now" if last.remaining else "now out"
    return svg.element("circle", cx=plot.x(last.at), cy=plot.y(last.remaining), r=5.5, class_=tone)
