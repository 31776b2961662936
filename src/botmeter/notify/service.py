"""The running notifier: one thread reads, some send, one publishes reports.

Each thread repeats a step. While the database or the cluster does not answer, steps are retried; any other error ends
the notifier, and the next start continues what was under way.
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
from botmeter.notify.intake import NoticeIntake
from botmeter.notify.metrics import Metrics
from botmeter.notify.outbox import ClaimLost, Outbox
from botmeter.notify.outcomes import Unreachable
from botmeter.notify.publisher import Publisher
from botmeter.notify.recipients import ChannelName

log = logging.getLogger(__name__)

#: A sender checks the outbox this often even if nothing was read, because a retry may be due.
_CHECK_S: Final = 0.5
_POLL_S: Final = 0.2
_RECORDS_MAX: Final = 2_000
#: Between two attempts at held records, whose accounts are not in the journal yet.
_HELD_S: Final = 0.2
#: Between two attempts while the database, the cluster or a mail server does not answer.
_PAUSE_S: Final = 1.0
_PAUSE_MAX_S: Final = 30.0
_PUBLISH_PAUSE_S: Final = 5.0
#: A stop takes at most ten seconds. An attempt that takes longer is abandoned: its claim records how far it got.
_STOP_S: Final = 8.0
#: A step that takes longer is taken as hung.
_STEP_LIMIT_S: Final = 900.0
_TRANSIENT: Final = (OperationalError, Retriable)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a notifier. Each item of `channels` makes one sender's own channel."""

    engine: Engine
    outbox: Outbox
    intake: NoticeIntake
    subscribe: Callable[[], Subscription]
    publisher: Publisher
    channels: Sequence[Callable[[], Channel]]
    metrics: Metrics


class Notifier:
    """Reads and sends until it is stopped."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stop = threading.Event()
        self._wake_ups: dict[ChannelName, threading.Event] = {"email": threading.Event(), "webhook": threading.Event()}
        self._failed: list[BaseException] = []
        self._steps: dict[str, float] = {}

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Work until `stopping`, which waits for the given seconds, returns True. Raises a failed thread's error."""
        work: list[tuple[str, Callable[[], None]]] = [("read", self._read), ("publish", self._publish)]
        work += [(f"send-{number}", partial(self._send, make)) for number, make in enumerate(self._parts.channels)]
        threads = [threading.Thread(target=self._guard, args=(loop,), name=name, daemon=True) for name, loop in work]
        for thread in threads:
            thread.start()
        while not self._failed and not stopping(_CHECK_S):
            pass
        self._stop_threads(threads)
        if self._failed:
            raise self._failed[0]

    def _stop_threads(self, threads: Sequence[threading.Thread]) -> None:
        self._stop.set()
        for wake_up in self._wake_ups.values():
            wake_up.set()
        deadline_s = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                log.warning("%s did not stop in time and is abandoned", thread.name)

    def fault(self) -> str | None:
        """The error that ended the notifier, or the thread that hangs; None when all is well."""
        if self._failed:
            return f"ended by {self._failed[0]!r}"
        now_s = time.monotonic()
        for name, since_s in list(self._steps.items()):
            if now_s - since_s > _STEP_LIMIT_S:
                return f"thread {name} has not finished a step for {now_s - since_s:.0f} s"
        return None

    def _guard(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # noqa: BLE001 - `run` raises it
            self._failed.append(error)
        finally:
            self._steps.pop(threading.current_thread().name, None)
            self._stop.set()

    def _begin_step(self) -> None:
        self._steps[threading.current_thread().name] = time.monotonic()

    # --- Reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                with self._parts.subscribe() as subscription:
                    self._read_from(subscription)
            except _TRANSIENT as error:
                log.warning("reading waits: %s", _line(error))
                self._stop.wait(_PAUSE_S)

    def _read_from(self, subscription: Subscription) -> None:
        while not self._stop.is_set():
            self._begin_step()
            records = subscription.poll(_RECORDS_MAX, _POLL_S)
            if records:
                result = self._parts.intake.take(records)
                subscription.show_progress(result.progress)
                if result.held:
                    self._stop.wait(_HELD_S)
                    subscription.rewind(result.held)
                for wake_up in self._wake_ups.values():
                    wake_up.set()

    # --- Sending -----------------------------------------------------------------------------------------------------

    def _send(self, make: Callable[[], Channel]) -> None:
        channel, pause_s = make(), _PAUSE_S
        try:
            while not self._stop.is_set():
                self._begin_step()
                try:
                    pause_s = self._send_next(channel, pause_s)
                except OperationalError as error:
                    log.warning("sending waits for the database: %s", _line(error))
                    self._stop.wait(_PAUSE_S)
        finally:
            channel.close()

    def _send_next(self, channel: Channel, pause_s: float) -> float:
        """Make the attempt that is due, or wait; returns the pause after the next unreachable receiver."""
        claim = self._parts.outbox.claim(channel.name)
        if claim is None:
            wake_up = self._wake_ups[channel.name]
            wake_up.wait(_CHECK_S)
            wake_up.clear()
            return pause_s
        try:
            outcome = channel.attempt(
                claim, lambda: self._parts.outbox.mark_past_return(claim, channel.answer_within_ms)
            )
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
            self._begin_step()
            try:
                published = self._parts.publisher.publish_batch()
            except (*_TRANSIENT, ClusterError) as error:  # mails do not wait for it; a metric counts the reports
                log.warning("publishing waits: %s", _line(error))
                self._stop.wait(_PUBLISH_PAUSE_S)
                continue
            if not published:
                self._stop.wait(_CHECK_S)


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else repr(error)
