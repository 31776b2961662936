"""The program `botmeter`, which kills itself as a power cut would when it comes to a certain call.

    python -m planted MODULE:CLASS.METHOD before|after COMMAND...

Only the death is planted; all that runs until then is the program.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from typing import Any


def plant(place: str, moment: str) -> None:
    """Let the process die just before the named call, or just after it has returned."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *above, name = path.split(".")
    for step in above:
        owner = getattr(owner, step)
    original = getattr(owner, name)

    @functools.wraps(original)
    def fatal(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if result is not None or name != "claim":  # a claim of nothing is no claim
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)


if __name__ == "__main__":
    plant(*sys.argv[1:3])
    del sys.argv[1:3]
    from botmeter.cli import main

    main()
