"""What a check finds, and what is to be done about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

#: `problem`: metering is stopped, wrong or in danger. `warning`: it will be, or is worse than it need be.
State = Literal["ok", "warning", "problem", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a check; `remedy` is what to do, None where nothing."""

    check: str
    state: State
    text: str
    remedy: str | None = None

    def as_fields(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
