"""Started sessions, one stacked bar for each hour or day; or the cumulative sum."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Final

from markupsafe import Markup

from botmeter.readside.results import UsageBucket, UsageSeries
from botmeter.web.page.charts import svg
from botmeter.web.page.charts.axes import CANVASES, CHARACTER, Canvas, Scale, grid, steps_up_to
from botmeter.web.page.moments import HOUR_MS, Clock
from botmeter.web.page.numbers import count, some

#: The number of colours; the smallest parts share the last one.
PARTS_MAX: Final = 5
_HEIGHT: Final = {"wide": 210, "medium": 200, "narrow": 190}


def part_names(series: UsageSeries, names: dict[str, str]) -> tuple[str, ...]:
    """Returns the name of each colour's part, largest first."""
    named = [names.get(series.keys[n], series.keys[n]) for n in _by_size(series)]
    return tuple(
        named if len(named) <= PARTS_MAX else [*named[: PARTS_MAX - 1], f"{len(named) - PARTS_MAX + 1} others"]
    )


def usage_chart(
    series: UsageSeries, clock: Clock, labelled_by: str, names: dict[str, str], *, cumulative: bool
) -> Markup:
    """Returns the chart in each width."""
    rows = _rows(series, cumulative=cumulative)
    ticks = steps_up_to(max((sum(row) for row in rows), default=0), wanted=2)
    return svg.group(
        _drawn(series, rows, clock, canvas, ticks, labelled_by, part_names(series, names)) for canvas in CANVASES
    )


def _by_size(series: UsageSeries) -> list[int]:
    sums = [sum(bucket.parts[n] for bucket in series.buckets) for n in range(len(series.keys))]
    return sorted(range(len(sums)), key=lambda n: (-sums[n], series.keys[n]))


def _rows(series: UsageSeries, *, cumulative: bool) -> list[list[int]]:
    """Returns for each bucket its parts in the order of the colours; small parts are summed up."""
    if not series.keys:
        return [[bucket.cumulative if cumulative else bucket.sessions] for bucket in series.buckets]
    order = _by_size(series)
    head, rest = (order, []) if len(order) <= PARTS_MAX else (order[: PARTS_MAX - 1], order[PARTS_MAX - 1 :])
    rows = [
        [bucket.parts[n] for n in head] + ([sum(bucket.parts[n] for n in rest)] if rest else [])
        for bucket in series.buckets
    ]
    return (
        [list(row) for row in accumulate(rows, lambda a, b: [p + q for p, q in zip(a, b, strict=True)])]
        if cumulative
        else rows
    )


def _drawn(
    series: UsageSeries,
    rows: list[list[int]],
    clock: Clock,
    canvas: Canvas,
    ticks: tuple[int, ...],
    labelled_by: str,
    parts: tuple[str, ...],
) -> Markup:
    canvas = Canvas(canvas.name, canvas.width, _HEIGHT[canvas.name], canvas.left, canvas.right, canvas.dates, top=14)
    y = Scale(0, ticks[-1], canvas.baseline, canvas.top)
    x = Scale(0, max(len(rows), 1), canvas.left, canvas.width - canvas.right)
    width = x(1) - x(0)
    gap = min(max(width * 0.24, 0.5), 10.0)
    bars = svg.group(_bar(row, x(n) + gap / 2, width - gap, y) for n, row in enumerate(rows) if sum(row))
    readings = [
        [round(x(n) + width / 2, 1), round(y(sum(row)), 1), _words(series.buckets[n], row, series, clock, parts)]
        for n, row in enumerate(rows)
    ]
    return svg.element(
        "svg",
        grid(canvas, ticks, y),
        svg.element("g", bars, class_="bars"),
        _labels(series, clock, canvas, x),
        svg.line(0, canvas.top, 0, canvas.baseline, "cursor"),
        viewBox=f"0 0 {canvas.width} {canvas.height}",
        class_=canvas.name,
        role="img",
        aria_labelledby=labelled_by,
        data_points=json.dumps(readings, separators=(",", ":")),
        data_baseline=canvas.baseline,
    )


def _bar(row: list[int], left: float, width: float, y: Scale) -> Markup:
    """Draws one bar, its largest part at the bottom, with a rounded top if there is room."""
    parts, below = [], 0
    for n, value in enumerate(row):
        top, bottom = y(below + value), y(below)
        below += value
        if not value:
            continue
        radius = min(2.5, width / 3) if below == sum(row) else 0.0
        parts.append(
            svg.element(
                "rect", x=left, y=top, width=width, height=max(bottom - top, 0.75), rx=radius, class_=f"bar-{n + 1}"
            )
        )
    return svg.group(parts)


def bucket_name(bucket: UsageBucket, series: UsageSeries, clock: Clock) -> str:
    """`21 Nov`, `21 Nov 14:00`; a day says so when it has 23 or 25 hours."""
    if series.bucket == "hour":
        return f"{clock.short_day(bucket.starts_at)} {clock.time(bucket.starts_at)}"
    hours = round((bucket.ends_at - bucket.starts_at) / HOUR_MS)
    return clock.short_day(bucket.starts_at) + (f", a day of {hours} hours" if hours not in (0, 24) else "")


def _words(bucket: UsageBucket, row: list[int], series: UsageSeries, clock: Clock, parts: tuple[str, ...]) -> str:
    lines = [f"{bucket_name(bucket, series, clock)}", some(sum(row), "session")]
    if len(parts) > 1:
        lines += [f"{count(value)} {name}" for value, name in zip(row, parts, strict=True) if value]
    return "\n".join(lines)


def _labels(series: UsageSeries, clock: Clock, canvas: Canvas, x: Scale) -> Markup:
    """Labels the bars with dates or hours, as many as fit."""
    is_one_day = series.bucket == "hour" and len(series.buckets) <= 25
    starts = [
        (n, bucket.starts_at)
        for n, bucket in enumerate(series.buckets)
        if series.bucket == "day" or is_one_day or clock.local(bucket.starts_at).hour == 0
    ]
    if not starts:
        return Markup()
    longest = 5 if is_one_day else 6
    room = (longest * CHARACTER + 14) / max(
        (x(1) - x(0)) * ((starts[-1][0] - starts[0][0]) / max(len(starts) - 1, 1)), 0.1
    )
    every = next((n for n in (1, 2, 3, 4, 6, 7, 14, 28, 56) if n >= room), 56)
    middle = (x(1) - x(0)) / 2 if series.bucket == "day" or is_one_day else 0
    return svg.group(
        svg.text(
            x(n) + middle,
            canvas.height - 6,
            clock.time(at) if is_one_day else clock.short_day(at),
            anchor="middle" if middle else "start",
        )
        for place, (n, at) in enumerate(starts)
        if place % every == 0 and x(n) + longest * CHARACTER / 2 < canvas.width
    )
