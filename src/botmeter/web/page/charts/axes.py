"""Scales, ticks and the three widths in which each chart is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from botmeter.web.page.charts import svg
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import count

#: About how wide a character of a label is, in units of the drawing.
CHARACTER: Final = 6.6


@dataclass(frozen=True, slots=True)
class Canvas:
    """The size of a drawing in CSS pixels, and how many dates fit below it."""

    name: str
    width: int
    height: int
    left: int
    right: int
    dates: int

    top: int = 34
    bottom: int = 28

    @property
    def inner(self) -> int:
        """Width of the plot."""
        return self.width - self.left - self.right

    @property
    def baseline(self) -> int:
        """The y coordinate of zero."""
        return self.height - self.bottom


#: Shown one at a time, by the width of the window.
CANVASES: Final = (
    Canvas("wide", 1016, 320, 52, 10, 9),
    Canvas("medium", 640, 290, 50, 8, 6),
    Canvas("narrow", 336, 250, 42, 4, 3),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `[first, last]` to `[start, end]`, linearly."""

    first: float
    last: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Returns the position of a value."""
        return self.start + (value - self.first) / ((self.last - self.first) or 1) * (self.end - self.start)


def steps_up_to(highest: int, wanted: int = 3) -> tuple[int, ...]:
    """Returns round numbers from 0 to at least `highest`, about `wanted` of them after the zero."""
    size = 1
    for base in (10**power * factor for power in range(16) for factor in (1, 2, 5)):
        size = base
        if highest <= base * wanted:
            break
    return tuple(range(0, max(-(-highest // size), 1) * size + 1, size))


def day_ticks(clock: Clock, starts_at: int, ends_at: int, wanted: int) -> list[tuple[int, str]]:
    """Returns midnights to label below a chart, at most about `wanted`: every 1, 2, 7 or 14 days, or 1st of a month."""
    first, days = clock.calendar_day(starts_at), clock.days_between(starts_at, ends_at)
    for step in (1, 2, 7, 14):
        if days / step <= wanted:
            named = [first + timedelta(days=n) for n in range(0, days + 1, step)]
            break
    else:
        named = _months(first, days, wanted)
    moments = [(max(clock.midnight(day), starts_at), day) for day in named]
    return [(at, clock.short_day(at)) for at, _ in moments if at < ends_at]


def _months(first: date, days: int, wanted: int) -> list[date]:
    step = next((n for n in (1, 2, 3, 6) if days / 30.4 / n <= wanted), 12)
    months = [(first.year * 12 + first.month - 1 + n) for n in range(0, days // 28 + 1, step)]
    return [date(month // 12, month % 12 + 1, min(first.day, 28)) for month in months]


def grid(canvas: Canvas, ticks: tuple[int, ...], y: Scale) -> Markup:
    """Horizontal lines with their numbers."""
    return svg.group(
        svg.line(canvas.left, y(tick), canvas.width - canvas.right, y(tick), "axis" if tick == 0 else "grid")
        + svg.text(canvas.left - 10, y(tick) + 4, count(tick), anchor="end")
        for tick in ticks
    )


def dates(canvas: Canvas, ticks: list[tuple[int, str]], x: Scale) -> Markup:
    """Labels of days below the plot; a label that would touch its neighbour is left out."""
    placed: list[tuple[float, str]] = []
    for at, name in ticks:
        place = max(x(at), canvas.left)
        if not placed or place - placed[-1][0] > len(placed[-1][1]) * CHARACTER + 12:
            placed.append((place, name))
    return svg.group(
        svg.text(
            min(place, canvas.width - canvas.right),
            canvas.height - 6,
            name,
            anchor="end" if place + len(name) * CHARACTER > canvas.width else "start",
        )
        for place, name in placed
    )


def thinned(points: list[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    """Returns at most about `most` of the points; jumps, the first and the last point are kept."""
    if len(points) <= most:
        return points
    every = -(-len(points) // most)
    jumps = {i for n, (a, b) in enumerate(pairwise(points)) if a[0] == b[0] for i in (n, n + 1)}
    return [p for n, p in enumerate(points) if n % every == 0 or n in jumps or n == len(points) - 1]
