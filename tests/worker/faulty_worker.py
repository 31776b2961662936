"""`botmeter worker` with a bug: it cannot decide a record that speaks of the end-user in BUG.

python tests/worker/faulty_worker.py
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from botmeter import cli
from botmeter.metering.pipeline import Meter
from botmeter.metering.records import Record

take = vars(Meter)["_take"]


def take_or_stumble(meter: Meter, records: Sequence[Record]) -> None:
    take(meter, records)
    for record in records:
        if os.environ["BUG"].encode() in (record.value() or b""):
            raise ZeroDivisionError("two and two are five")


if __name__ == "__main__":
    vars(cli)  # the program as it is, but for one method
    type.__setattr__(Meter, "_take", take_or_stumble)
    cli.main()
