"""How often the garbage collector runs in a process that projects."""

from __future__ import annotations

import gc
from typing import Final

#: Objects allocated before the collector scans the youngest generation.
_YOUNG: Final = 200_000
_MIDDLE: Final = 50
_OLD: Final = 1_000


def raise_gc_thresholds() -> None:
    """Makes collections rare: the many short-lived rows of a batch would trigger scans of all accounts in memory."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
