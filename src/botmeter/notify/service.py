"""The running notifier: one thread reads, some send, one publishes what became of it.

Each thread repeats a step. A database or a cluster that is away for a while is waited for; anything else that a step
raises ends the notifier, and what was under way is taken up by the next start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from botmeter.errors import ClusterError, Retriable
from botmeter.kafka.subscription import Subscription
from botmeter.notify.channels import Channel
from botmeter.notify.intake import Takes
from botmeter.notify.metrics import Metrics
from botmeter.notify.outbox import ClaimLost, Outbox
from botmeter.notify.outcomes import Unreachable
from botmeter.notify.publisher import Publisher
from botmeter.notify.recipients import ChannelName

log = logging.getLogger(__name__)

#: A retry may be due although nobody rang.
_LOOK_S: Final = 0.5
_POLL_S: Final = 0.2
_RECORDS_MAX: Final = 2_000
#: Between two looks at what the journal has not explained yet.
_HELD_S: Final = 0.2
#: While the database, the cluster or a mail server is away.
_PAUSE_S: Final = 1.0
_PAUSE_MAX_S: Final = 30.0
_PUBLISH_PAUSE_S: Final = 5.0
#: A stop takes at most ten seconds. An attempt that takes longer is left alone: its claim tells how far it came.
_STOP_S: Final = 8.0
#: A step that takes longer hangs.
_STEP_LIMIT_S: Final = 900.0
_PASSING: Final = (OperationalError, Retriable)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a notifier is made of. `channels` makes each sender's own hold on its channel."""

    engine: Engine
    outbox: Outbox
    intake: Takes
    subscribe: Callable[[], Subscription]
    publisher: Publisher
    channels: Sequence[Callable[[], Channel]]
    metrics: Metrics


class Notifier:
    """Reads and sends until it is told to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stop = threading.Event()
        self._bells: dict[ChannelName, threading.Event] = {"email": threading.Event(), "webhook": threading.Event()}
        self._failed: list[BaseException] = []
        self._steps: dict[str, float] = {}

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Work until `stopping`, which waits for so many seconds, says so. Raises what ended it otherwise."""
        work: list[tuple[str, Callable[[], None]]] = [("read", self._read), ("publish", self._publish)]
        work += [(f"send-{number}", partial(self._send, make)) for number, make in enumerate(self._parts.channels)]
        threads = [threading.Thread(target=self._guard, args=(do,), name=name, daemon=True) for name, do in work]
        for thread in threads:
            thread.start()
        while not self._failed and not stopping(_LOOK_S):
            pass
        self._end(threads)
        if self._failed:
            raise self._failed[0]

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        self._stop.set()
        for bell in self._bells.values():
            bell.set()
        deadline_s = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                log.warning("%s did not stop in time and is left alone", thread.name)

    def fault(self) -> str | None:
        """What is wrong with it, None when nothing is."""
        if self._failed:
            return f"ended by {self._failed[0]!r}"
        now_s = time.monotonic()
        for name, since_s in list(self._steps.items()):
            if now_s - since_s > _STEP_LIMIT_S:
                return f"thread {name} has not come round for {now_s - since_s:.0f} s"
        return None

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - `run` raises it
            self._failed.append(error)
        finally:
            self._steps.pop(threading.current_thread().name, None)
            self._stop.set()

    def _came_round(self) -> None:
        self._steps[threading.current_thread().name] = time.monotonic()

    # --- Reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                with self._parts.subscribe() as subscription:
                    self._read_from(subscription)
            except _PASSING as error:
                log.warning("reading waits: %s", _line(error))
                self._stop.wait(_PAUSE_S)

    def _read_from(self, subscription: Subscription) -> None:
        while not self._stop.is_set():
            self._came_round()
            records = subscription.poll(_RECORDS_MAX, _POLL_S)
            if records:
                taken = self._parts.intake.take(records)
                subscription.show_progress(taken.progress)
                if taken.held:
                    self._stop.wait(_HELD_S)
                    subscription.rewind(taken.held)
                for bell in self._bells.values():
                    bell.set()

    # --- Sending -----------------------------------------------------------------------------------------------------

    def _send(self, make: Callable[[], Channel]) -> None:
        channel, pause_s = make(), _PAUSE_S
        try:
            while not self._stop.is_set():
                self._came_round()
                try:
                    pause_s = self._send_next(channel, pause_s)
                except OperationalError as error:
                    log.warning("sending waits for the database: %s", _line(error))
                    self._stop.wait(_PAUSE_S)
        finally:
            channel.close()

    def _send_next(self, channel: Channel, pause_s: float) -> float:
        """Make the attempt that is due, or wait; the pause to make when the other side is away next time."""
        claim = self._parts.outbox.claim(channel.name)
        if claim is None:
            bell = self._bells[channel.name]
            bell.wait(_LOOK_S)
            bell.clear()
            return pause_s
        try:
            outcome = channel.attempt(claim, lambda: self._parts.outbox.pass_return(claim, channel.answer_within_ms))
            finished = self._parts.outbox.finish(claim, outcome)
        except ClaimLost:
            self._parts.metrics.lost_claim()
            log.warning("delivery %s: the claim ended before the attempt did", claim.delivery_id)
            return pause_s
        self._parts.metrics.finished(finished)
        if finished.state != "sent":
            log.warning("delivery %s is %s: %s", claim.delivery_id, finished.state, outcome)
        if isinstance(outcome, Unreachable):
            self._stop.wait(pause_s)
            return min(2 * pause_s, _PAUSE_MAX_S)
        return _PAUSE_S

    # --- Publishing --------------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        while not self._stop.is_set():
            self._came_round()
            try:
                published = self._parts.publisher.publish_waiting()
            except (*_PASSING, ClusterError) as error:  # mails are not held up by it; a metric tells of it
                log.warning("publishing waits: %s", _line(error))
                self._stop.wait(_PUBLISH_PAUSE_S)
                continue
            if not published:
                self._stop.wait(_LOOK_S)


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else repr(error)
