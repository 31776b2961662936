"""Writes what was measured into docs/performance.md, between its markers, and keeps it in docs/performance.json."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from .chart import chart
from .results import Case, Column, Results, table

PAGE: Final = "performance.md"
RESULTS: Final = "performance.json"
CHART: Final = "performance.svg"
#: Between them stands what a run of the bench has written.
_SECTION: Final = "<!-- bench: {} -->\n{}<!-- end -->"
#: Of a case's conditions, those that are the same for the whole page unless they are not.
_EVERYWHERE: Final = ("machine", "system", "broker")


def write_pages(docs: Path, results: Results, columns: Mapping[str, Sequence[Column]]) -> None:
    """Renews every section of the page, and the chart."""
    results.write(docs / RESULTS)
    page = (docs / PAGE).read_text("utf-8")
    for name, of_tables in columns.items():
        page = replaced(page, name, section(list(results.of(name)), of_tables))
    page = replaced(page, "conditions", conditions(results, columns))
    (docs / PAGE).write_text(page, "utf-8")
    (docs / CHART).write_text(chart(list(results.of("throughput"))), "utf-8")


def replaced(page: str, name: str, text: str) -> str:
    """The page with another text in one of its sections. Raises ValueError when it has no such section."""
    pattern = re.compile(re.escape(_SECTION).replace(r"\{\}", re.escape(name), 1).replace(r"\{\}", ".*?"), re.DOTALL)
    found = pattern.search(page)
    if found is None:
        raise ValueError(f"{PAGE} has no section {name}")
    return page[: found.start()] + _SECTION.format(name, text) + page[found.end() :]


def section(cases: Sequence[Case], columns: Sequence[Column]) -> str:
    """All tables of a measurement, each with when it was measured."""
    return "".join(f"\n{shown(case, columns)}\n" for case in cases) + ("\n" if cases else "\nNot measured yet.\n\n")


def shown(case: Case, columns: Sequence[Column]) -> str:
    """One table with its notes and its own conditions."""
    own = [f"{name} {value}" for name, value in case.conditions.items() if name not in _EVERYWHERE]
    return "\n".join([table(case, columns), "", *case.notes, f"<sub>{'; '.join(own)}</sub>"])


def conditions(results: Results, columns: Mapping[str, Sequence[Column]]) -> str:
    """What all was measured on, as a list; several lines of a kind where tables differ in it."""
    cases = [case for name in columns for case in results.of(name)]
    lines = [f"- {name}: {case.conditions[name]}" for name in _EVERYWHERE for case in cases if name in case.conditions]
    return "\n" + "\n".join(dict.fromkeys(lines)) + "\n\n"
