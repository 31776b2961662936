"""How often Python looks for garbage in a process that projects."""

from __future__ import annotations

import gc
from typing import Final

#: Objects made before the collector looks at the young ones.
_YOUNG: Final = 200_000
_MIDDLE: Final = 50
_OLD: Final = 1_000


def spare_the_collector() -> None:
    """Rows of a batch are many and live shortly; the collector would walk all accounts in memory again and again."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
