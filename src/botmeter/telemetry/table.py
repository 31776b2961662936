"""The table of all metrics, by the process that exports them."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Final

from botmeter.telemetry import notify, process, project, web, witness, worker
from botmeter.telemetry.described import Described


def described_in(module: ModuleType) -> tuple[Described, ...]:
    """Returns all metrics that a module describes, in its order."""
    return tuple(value for value in vars(module).values() if isinstance(value, Described))


TABLE: Final[Mapping[str, tuple[Described, ...]]] = {
    "Every process": described_in(process),
    "`botmeter worker`": described_in(worker),
    "`botmeter notify`": described_in(notify),
    "`botmeter project`, and `botmeter web` on SQLite": described_in(project),
    "`botmeter web`": described_in(web),
    "`botmeter verify --follow`": described_in(witness),
}
