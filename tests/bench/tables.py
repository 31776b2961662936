"""Figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is words, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float], pattern: str = "{:,.0f}") -> str:
    """The median, and the least and the most where there are several."""
    middle = pattern.format(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({pattern.format(min(values))} to {pattern.format(max(values))})"
