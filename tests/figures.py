"""What long tests counted, told together when the run ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

#: Under which a test's counts travel to the process that tells them.
PROPERTY = "figures"


def told(reports: Iterable[object]) -> list[str]:
    """A line for each figure, added up over all tests; none when nothing was counted."""
    sums: Counter[str] = Counter()
    for report in reports:
        if isinstance(report, pytest.TestReport) and report.when == "teardown":
            for name, counted in report.user_properties:
                if name == PROPERTY and isinstance(counted, dict):
                    sums.update(counted)
    return [f"{count:>12,} {name}" for name, count in sums.items()]
