"""Replays one history and tells what happens in it."""

from __future__ import annotations

import sys

from .history import History

if __name__ == "__main__":
    history = History(int(sys.argv[1]), tell=print)
    print(history.plan)  # noqa: T201 - for a terminal
    print(history.run())  # noqa: T201
