"""`botmeter worker` that stands still in its first commit, until the file UNTIL is there.

PAUSE says where: before its `offsets` are sent, before its `look` whether a partition is rescued, or `after` that.

python tests/worker/paused_worker.py
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botmeter import cli
from botmeter.engine.transaction import Transaction

transact, look = vars(Transaction)["_transact"], vars(Transaction)["_require_not_rescued"]


def pause(where: str) -> None:
    if os.environ["PAUSE"] != where or Path(os.environ["UNTIL"]).exists():
        return
    sys.stderr.write("paused\n")
    while not Path(os.environ["UNTIL"]).exists():
        time.sleep(0.05)


def paused(call: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
    def made(*arguments: Any) -> Any:
        pause(before)
        answer = call(*arguments)
        pause(after)
        return answer

    return made


if __name__ == "__main__":
    vars(cli)  # the program as it is, but for two methods
    type.__setattr__(Transaction, "_transact", paused(transact, "offsets", ""))
    type.__setattr__(Transaction, "_require_not_rescued", paused(look, "look", "after"))
    cli.main()
