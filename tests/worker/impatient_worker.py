"""`botmeter worker` that waits only for a moment for the place of a namesake.

python tests/worker/impatient_worker.py
"""

from __future__ import annotations

from botmeter import cli
from botmeter.engine import namesake

if __name__ == "__main__":
    vars(namesake)["_WAIT_S"] = 3.0
    cli.main()
