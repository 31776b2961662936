"""`botmeter worker` with a bug: it cannot decide a record that speaks of the end-user in BUG.

With AT_ONCE it commits nothing before it has taken something, as a worker that meets its first records in its first
turn.

python tests/worker/faulty_worker.py
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from botmeter import cli
from botmeter.engine import transaction
from botmeter.engine.batch import Part
from botmeter.metering.pipeline import Meter
from botmeter.metering.records import Record

take = vars(Meter)["_take"]
has_uncommitted_offsets = vars(transaction)["_has_uncommitted_offsets"]


def take_or_stumble(meter: Meter, records: Sequence[Record]) -> None:
    take(meter, records)
    for record in records:
        if os.environ["BUG"].encode() in (record.value() or b""):
            raise ZeroDivisionError("two and two are five")


def has_taken_something(part: Part, now_s: float) -> bool:
    return any(part.positions) and has_uncommitted_offsets(part, now_s)


if __name__ == "__main__":
    vars(cli)  # the program as it is, but for one method
    type.__setattr__(Meter, "_take", take_or_stumble)
    if "AT_ONCE" in os.environ:
        vars(transaction)["_has_uncommitted_offsets"] = has_taken_something
    cli.main()
