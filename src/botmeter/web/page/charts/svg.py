"""Writes SVG as text: elements with attributes, all values escaped. Colours come from the stylesheet, by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

Attribute = str | int | float


def element(name: str, /, *inner: str, **attributes: Attribute) -> Markup:
    """`<name key="value">inner</name>`. A trailing `_` of a key is dropped and any other becomes `-`."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
    )
    body = Markup("").join(escape(part) for part in inner)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, body)  # noqa: S704 - names are this package's own


def group(parts: Iterable[Markup]) -> Markup:
    """Joins elements."""
    return Markup("").join(parts)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def line_percent(place: float, class_: str) -> Markup:
    """A vertical mark at a percentage of the width."""
    return element("line", x1=f"{place:.2f}%", y1=1, x2=f"{place:.2f}%", y2=23, class_=class_)


def text(x: float, y: float, words: str, *, anchor: str = "start", class_: str = "") -> Markup:
    """Text at a position; `anchor` says which end of the text is at x."""
    return element("text", words, x=x, y=y, text_anchor=anchor, **({"class_": class_} if class_ else {}))


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: str = "") -> Markup:
    """A line through points; `closed` is appended to close an area."""
    drawn = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points) + closed
    return element("path", d=drawn, class_=class_)


def area(points: Sequence[tuple[float, float]], baseline: float, class_: str) -> Markup:
    """The area between points and a baseline."""
    first, last = points[0][0], points[-1][0]
    closed = f"L{_number(last)} {_number(baseline)}L{_number(first)} {_number(baseline)}Z"
    return path(points, class_, closed=closed)


def _number(value: Attribute) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
