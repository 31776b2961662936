"""The findings of a check, with their remedies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

#: `problem`: metering is stopped, wrong or at risk. `warning`: it may become so, or could work better.
State = Literal["ok", "warning", "problem", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a check; `remedy` is what to do, None when there is nothing to do."""

    check: str
    state: State
    text: str
    remedy: str | None = None

    def as_fields(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        return asdict(self)
