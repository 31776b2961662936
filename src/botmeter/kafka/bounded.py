"""A limit for calls of the client that do not keep their own.

`send_offsets_to_transaction` waits without an end for a group coordinator that the client has dropped, such as a broker
that died, whatever its timeout (librdkafka issues 5456 and 5511).
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from botmeter.errors import OutcomeUnknown


def within(limit_s: float, call: Callable[[], object], name: str) -> None:
    """Makes the call on a thread of its own, and raises its error.

    Raises OutcomeUnknown when it has not come back after `limit_s`. The thread is then left behind with the client,
    which must not be closed: it is freed when the call comes back after all.
    """
    outcome: list[Exception | None] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - raised below, in the thread of the caller
            outcome.append(error)
        else:
            outcome.append(None)

    thread = Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(limit_s)
    if not outcome:
        raise OutcomeUnknown(f"{name} did not come back from the client within {limit_s:.0f} s")
    if outcome[0] is not None:
        raise outcome[0]
