"""`botmeter` with a clock that is set wrong: by as many ms as the file says that CLOCK_AHEAD_FILE names."""

from __future__ import annotations

import os
from pathlib import Path

from botmeter import bootstrap, cli
from botmeter.clock import Clock


class SkewedClock(Clock):
    """Reads the file anew at each look, so that a test can set the clock right."""

    def now_ms(self) -> int:
        return super().now_ms() + int(Path(os.environ["CLOCK_AHEAD_FILE"]).read_text(encoding="ascii"))


if __name__ == "__main__":
    vars(bootstrap)["Clock"] = SkewedClock
    cli.main()
