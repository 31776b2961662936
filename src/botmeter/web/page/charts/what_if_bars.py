"""Cycles under other terms: the demand, what would have been served, what was served, compared with packs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from botmeter.readside.results import WhatIfCycle
from botmeter.web.page.charts import svg
from botmeter.web.page.charts.axes import CANVASES, CHARACTER, Canvas, Scale
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import count, some

#: The height of a cycle: its name, the bar, the thin bar of what really happened, and space.
_ROW: Final = 66
_TOP: Final = 26
#: The most pack lines, by the width of the drawing.
_LINES: Final = {"wide": 10, "medium": 6, "narrow": 3}


def what_if_chart(cycles: Sequence[WhatIfCycle], pack_sessions: int, clock: Clock, labelled_by: str) -> Markup:
    """Returns the chart in each width."""
    most = max([cycle.whole_demand for cycle in cycles] + [cycle.was_served + cycle.was_to_agents for cycle in cycles])
    packs = max(-(-most // pack_sessions), 1)
    return svg.group(_drawn(cycles, packs, pack_sessions, clock, canvas, labelled_by) for canvas in CANVASES)


def _drawn(
    cycles: Sequence[WhatIfCycle], packs: int, pack_sessions: int, clock: Clock, canvas: Canvas, labelled_by: str
) -> Markup:
    # 28: the room for the last pack line and its label.
    x = Scale(0, packs * pack_sessions, 0, canvas.width - 28)
    height = _TOP + _ROW * len(cycles)
    return svg.element(
        "svg",
        _pack_lines(packs, pack_sessions, x, height, canvas),
        *(_row(cycle, clock, x, _TOP + n * _ROW) for n, cycle in enumerate(cycles)),
        viewBox=f"0 0 {canvas.width} {height}",
        class_=canvas.name,
        role="img",
        aria_labelledby=labelled_by,
    )


def _pack_lines(packs: int, pack_sessions: int, x: Scale, height: int, canvas: Canvas) -> Markup:
    """Draws a vertical line where each pack ends."""
    every = -(-packs // _LINES[canvas.name])
    parts = [svg.line(0, _TOP - 8, 0, height - 12, "axis")]
    for n in range(every, packs + 1, every):
        place = x(n * pack_sessions)
        name = some(n, "pack")
        parts += [
            svg.line(place, _TOP - 8, place, height - 12, "grid"),
            svg.text(min(place, canvas.width - len(name) * CHARACTER / 2), 10, name, anchor="middle"),
        ]
    return svg.group(parts)


def _row(cycle: WhatIfCycle, clock: Clock, x: Scale, top: int) -> Markup:
    wanted = count(cycle.whole_demand)
    words = f"{clock.span(cycle.cycle.starts_at, cycle.cycle.ends_at)} \u00b7 {wanted} wanted"
    if cycle.whole_demand > cycle.demand:
        words += " at its pace"
    return (
        svg.text(8, top + 14, words, class_="strong halo")
        + _bar(_replayed(cycle), x, top + 22, 18)
        + _bar([(cycle.was_served, "bar-was"), (cycle.was_to_agents, "bar-out")], x, top + 43, 6)
    )


def _replayed(cycle: WhatIfCycle) -> list[tuple[int, str]]:
    """Returns the outcome of a cycle's demand under the other terms, and the demand still to come."""
    to_come = cycle.whole_demand - cycle.demand
    return [
        (cycle.served, "bar-1"),
        (cycle.to_agents, "bar-out"),
        (cycle.stopped, "bar-stopped"),
        (to_come, "bar-foreseen"),
    ]


def _bar(parts: Sequence[tuple[int, str]], x: Scale, top: int, height: int) -> Markup:
    """Draws the parts of a bar one after the other."""
    drawn, below = [], 0
    for value, class_ in parts:
        if value > 0:
            width = max(x(below + value) - x(below), 1.0)
            drawn.append(svg.element("rect", x=x(below), y=top, width=width, height=height, rx=2, class_=class_))
            below += value
    return svg.group(drawn)
