"""`botmeter worker` with a bug in what the Kafka client calls back; FAULT says in which.

FAULT=revoked python tests/worker/faulty_callbacks.py
"""

from __future__ import annotations

import os
from typing import Any

from botmeter import cli
from botmeter.engine import transaction
from botmeter.engine.membership import Membership


def stumble(*_: Any) -> None:
    raise ZeroDivisionError("two and two are five")


if __name__ == "__main__":
    match os.environ["FAULT"]:
        case "assigned":
            type.__setattr__(Membership, "restore", stumble)
        case "revoked":
            type.__setattr__(Membership, "_give_up", stumble)
        case "delivered":
            vars(transaction)["_delivered"] = stumble
    cli.main()
