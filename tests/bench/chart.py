"""The picture of the throughput: a group of bars for each mix, a bar for each engine. SVG, for light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from statistics import median
from typing import Final

from .results import Case

WIDTH: Final = 860
PLOT_LEFT: Final = 70
PLOT_TOP: Final = 56
PLOT_HEIGHT: Final = 240
LEGEND_LINE: Final = 20
GAP_SHARE: Final = 0.25
#: Colours that people with colour blindness can tell apart (Okabe and Ito), botmeter's first.
COLOURS: Final = ("#0072b2", "#d55e00", "#e69f00", "#cc79a7", "#009e73", "#56b4e9", "#999999", "#7f5f00")
#: The reference lines of what is no engine would dwarf the bars.
LEFT_OUT: Final = ("floor", "limit")

STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.grid{stroke:#d0d7de}"
    ".value{font-size:11px}.spread{stroke:#24292f;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#444c56}.spread{stroke:#e6edf3}}"
)


def chart(cases: Sequence[Case]) -> str:
    """The SVG document."""
    engines = [
        label
        for label in dict.fromkeys(label for case in cases for label in case.rows)
        if not any(word in label for word in LEFT_OUT)
    ]
    colours = dict(zip(engines, COLOURS * (len(engines) // len(COLOURS) + 1), strict=False))
    drawn = [case.rows[label]["a_second"] for case in cases for label in engines if label in case.rows]
    top = _rounded_up(max((max(rates) for rates in drawn), default=1))
    height = PLOT_TOP + PLOT_HEIGHT + 50 + LEGEND_LINE * len(engines)
    parts = [*_grid(top), *_groups(cases, colours, top), *_legend(colours)]
    title = "Interactions a second, one worker, one partition, steady state (median; lines: least and most)"
    summary = "; ".join(f"{case.title}: {_spoken(case, engines)}" for case in cases)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d">'
        f'<title id="t">{escape(title)}</title><desc id="d">{escape(summary)}</desc><style>{STYLE}</style>'
        f'<text class="title" x="10" y="26">{escape(title)}</text>{"".join(parts)}</svg>\n'
    )


def _grid(top: float) -> list[str]:
    lines = []
    for step in range(6):
        value, y = top * step / 5, _y(top * step / 5, top)
        lines.append(f'<line class="grid" x1="{PLOT_LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{PLOT_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value / 1000:,.0f}k</text>')
    return lines


def _groups(cases: Sequence[Case], colours: dict[str, str], top: float) -> list[str]:
    parts = []
    group_width = (WIDTH - PLOT_LEFT - 10) / max(1, len(cases))
    for number, case in enumerate(cases):
        labels = [label for label in colours if label in case.rows]
        left = PLOT_LEFT + group_width * (number + GAP_SHARE / 2)
        width = group_width * (1 - GAP_SHARE) / max(1, len(labels))
        for place, label in enumerate(labels):
            parts += _bar(left + place * width, width, case.rows[label]["a_second"], colours[label], top, label)
        middle = PLOT_LEFT + group_width * (number + 0.5)
        parts.append(_word(middle, PLOT_TOP + PLOT_HEIGHT + 22, case.title))
    return parts


def _bar(x: float, width: float, values: Sequence[float], colour: str, top: float, label: str) -> list[str]:
    middle, y = x + width / 2, _y(median(values), top)
    bar = (
        f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{_y(0, top) - y:.1f}" fill="{colour}">'
        f"<title>{escape(label)}: {median(values):,.0f}/s</title></rect>"
    )
    low, high = _y(min(values), top), _y(max(values), top)
    spread = f'<line class="spread" x1="{middle:.1f}" x2="{middle:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    return [bar, spread, _word(middle, high - 4, f"{median(values) / 1000:,.0f}k", "value")]


def _word(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


def _legend(colours: dict[str, str]) -> list[str]:
    parts = []
    for number, (label, colour) in enumerate(colours.items()):
        y = PLOT_TOP + PLOT_HEIGHT + 40 + LEGEND_LINE * number
        parts.append(f'<rect x="{PLOT_LEFT}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{PLOT_LEFT + 20}" y="{y + 11}">{escape(label)}</text>')
    return parts


def _spoken(case: Case, engines: Sequence[str]) -> str:
    known = [label for label in engines if label in case.rows]
    return ", ".join(f"{label} {median(case.rows[label]['a_second']):,.0f}" for label in known)


def _y(value: float, top: float) -> float:
    return PLOT_TOP + PLOT_HEIGHT * (1 - value / top)


def _rounded_up(value: float) -> float:
    step = float(10 ** (len(str(int(value))) - 1)) / 2
    return step * (int(value / step) + 1)
