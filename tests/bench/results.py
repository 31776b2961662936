"""What was measured: figures by case and row, kept in a file so that a table can be renewed case by case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

#: Of one row: by column, what each run found.
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Column:
    """A column of a table: its key in `Figures`, its head, and how a number is written."""

    key: str
    head: str
    pattern: str = "{:,.0f}"


@dataclass(frozen=True)
class Case:
    """One table: what was measured under one set of circumstances, in one run of the bench."""

    title: str
    rows: dict[str, Figures]
    #: Said of this table alone, such as a row that is missing and why.
    notes: tuple[str, ...] = ()
    #: Date, revision, machine, versions, ...
    conditions: dict[str, str] = field(default_factory=dict)


class Results:
    """All cases by measurement."""

    def __init__(self, cases: dict[str, dict[str, Case]]) -> None:
        self._cases = cases

    @classmethod
    def read(cls, path: Path) -> Results:
        """From a file; empty when there is none."""
        stored: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return cls({name: {title: _case(title, one) for title, one in cases.items()} for name, cases in stored.items()})

    def write(self, path: Path) -> None:
        """Into a file, a figure a line."""
        stored = {name: {case.title: _stored(case) for case in cases.values()} for name, cases in self._cases.items()}
        path.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")

    def add(self, measurement: str, case: Case) -> None:
        """Takes the place of the case of this title, which was measured before."""
        self._cases.setdefault(measurement, {})[case.title] = case

    def of(self, measurement: str) -> Iterator[Case]:
        """The cases of a measurement, in the order in which they were added first."""
        yield from self._cases.get(measurement, {}).values()


def table(case: Case, columns: Sequence[Column]) -> str:
    """A Markdown table; columns without any figure are left out."""
    shown = [column for column in columns if any(figures.get(column.key) for figures in case.rows.values())]
    head = [case.title, *(column.head for column in shown)]
    rows = [
        [label, *(spread(figures.get(column.key, []), column.pattern) for column in shown)]
        for label, figures in case.rows.items()
    ]
    lines = [head, ["---", *["---:"] * len(shown)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float], pattern: str = "{:,.0f}") -> str:
    """The median, and the least and the most where several runs differ."""
    if not values:
        return "-"
    middle, least, most = (pattern.format(value) for value in (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"


def _stored(case: Case) -> dict[str, Any]:
    return {"conditions": case.conditions, "notes": case.notes, "rows": case.rows}


def _case(title: str, stored: dict[str, Any]) -> Case:
    return Case(title, stored["rows"], tuple(stored["notes"]), stored["conditions"])
