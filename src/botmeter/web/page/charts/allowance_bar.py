"""The bar of used sessions with its thresholds, and the small bar in lists."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from botmeter.readside.results import AccountDetail, AccountState, Threshold
from botmeter.web.page.charts import svg
from botmeter.web.page.charts.axes import CANVASES, CHARACTER

_TONES: Final[dict[AccountState, str]] = {
    "active": "fill",
    "near_end": "fill near",
    "exhausted": "fill out",
    "closed": "fill closed",
}


def share(part: int, total: int) -> float:
    """Returns the percentage of a total, for widths; 0 when the total is 0."""
    return min(100 * part / total, 100.0) if total else 0.0


def allowance_bar(detail: AccountDetail) -> Markup:
    """Used of total, with a mark at each threshold."""
    summary = detail.summary
    used = share(summary.used, summary.total)
    marks = svg.group(
        svg.line_percent(
            share(one.at_sessions, summary.total), "mark done" if one.at_sessions < summary.used else "mark"
        )
        for one in detail.thresholds
    )
    return svg.element(
        "svg",
        svg.element("rect", x=0, y=5, width="100%", height=14, rx=7, class_="track"),
        svg.element("rect", x=0, y=5, width=f"{used:.2f}%", height=14, rx=7, class_=_TONES[summary.state])
        if used
        else Markup(),
        marks if summary.total else Markup(),
        aria_hidden="true",
        focusable="false",
    )


def threshold_labels(thresholds: tuple[Threshold, ...], total: int, words: dict[int, str]) -> Markup:
    """Returns labels below the marks, in each width; labels that would overlap use a second row."""
    return (
        svg.group(_labels(thresholds, total, words, canvas.name, canvas.width) for canvas in CANVASES)
        if total
        else Markup()
    )


def _labels(thresholds: tuple[Threshold, ...], total: int, words: dict[int, str], name: str, width: int) -> Markup:
    parts: list[Markup] = []
    ends = [-12.0, -12.0]
    for one in thresholds:
        label = words[one.percent] if name != "narrow" else f"{one.percent}\u00a0%"
        length = len(label) * CHARACTER
        middle = share(one.at_sessions, total) / 100 * width
        start = min(max(middle - length / 2, 0), width - length)
        row = 0 if start > ends[0] + 12 else 1
        if start <= ends[row] + 12:
            continue  # no room in either row; the settings list them all
        ends[row] = start + length
        parts.append(svg.text(start, 14 + row * 18, label))
    rows = 2 if ends[1] > 0 else 1
    height = 18 * rows + 2
    return svg.element(
        "svg", *parts, viewBox=f"0 0 {width} {height}", class_=name, aria_hidden="true", focusable="false"
    )


def small_bar(used: int, total: int, state: AccountState) -> Markup:
    """Used of total in a table."""
    return svg.element(
        "svg",
        svg.element("rect", x=0, y=0, width="100%", height=8, rx=4, class_="track"),
        svg.element("rect", x=0, y=0, width=f"{share(used, total):.2f}%", height=8, rx=4, class_=_TONES[state]),
        class_="mini",
        aria_hidden="true",
        focusable="false",
    )
