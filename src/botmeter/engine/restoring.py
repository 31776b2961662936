"""The running restores of one worker: started, taken over when they are done, abandoned when not needed any more.

A few run at a time. A restore without progress, such as one that waits for another producer's open transaction, does
not delay others: the next one starts in parallel.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event as Flag
from typing import Final

from botmeter.clock import Clock
from botmeter.engine.restore import Restorer
from botmeter.engine.running_state import RunningState
from botmeter.errors import OutcomeUnknown, Retriable

log = logging.getLogger(__name__)

#: Parallel restores with progress: they wait for the broker most of the time.
_RESTORES_MAX: Final = 4
#: A restore that has read nothing for this long is stuck, and is not counted.
_STUCK_S: Final = 3.0
#: One thread for each partition that a worker may own; most of them wait.
_THREADS_MAX: Final = 1_024
#: How often a restore is retried after an error of the client with an unknown outcome.
_UNKNOWN_MAX: Final = 5


@dataclass(slots=True)
class _Restore:
    stop: Flag
    restored: Future[RunningState]
    #: The events left at the last observed progress, and when that was, by a monotonic clock.
    left: int | None
    moved_s: float


class Restoring:
    """The restores of one worker. Used by the polling thread; each restore runs on a thread of its own."""

    def __init__(self, restorer: Restorer, clock: Clock) -> None:
        self._restorer, self._clock = restorer, clock
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="restore")
        self._running: dict[int, _Restore] = {}
        #: The partitions that wait for their restore, in order.
        self._waiting: dict[int, None] = {}
        self._unknown: Counter[int] = Counter()

    @property
    def events_left(self) -> Mapping[int, int]:
        """The number of journal events that each restore has still to read, by partition."""
        return self._restorer.left

    @property
    def beginnings(self) -> Mapping[int, int]:
        """The first offset of the interactions, for partitions without any commit so far."""
        return self._restorer.beginnings

    def has_begun(self, partition: int) -> None:
        """Removes the partition from `beginnings`: it has a commit now."""
        self._restorer.beginnings.pop(partition, None)

    def rescued(self, partitions: Iterable[int], stop: Flag) -> set[int]:
        """Returns the partitions that were rescued since their last restore; waits for the cluster."""
        return self._restorer.rescued(partitions, stop)

    def begin(self, partition: int) -> None:
        """Restores a partition when its turn comes."""
        self._waiting[partition] = None
        self._start_waiting()

    def finished(self) -> Iterator[tuple[int, RunningState | BaseException]]:
        """Yields the partitions restored since the last call, or the errors of their restores, each once.

        Retries a restore after a transient error.
        """
        for partition in [number for number, restore in self._running.items() if restore.restored.done()]:
            restored = self._running.pop(partition).restored
            error = restored.exception()
            if self._is_transient(partition, error):
                log.warning("partition %d: restore failed, trying again: %s", partition, error)
                self.begin(partition)
                continue
            self._unknown.pop(partition, None)
            yield partition, restored.result() if error is None else error
        if self._waiting:
            self._start_waiting()

    def _is_transient(self, partition: int, error: BaseException | None) -> bool:
        if isinstance(error, OutcomeUnknown):
            self._unknown[partition] += 1
            return self._unknown[partition] <= _UNKNOWN_MAX
        return isinstance(error, Retriable)

    def _start_waiting(self) -> None:
        """Starts as many waiting restores as may run now."""
        now_s = self._clock.monotonic_s()
        moving = sum(self._has_progress(number, restore, now_s) for number, restore in self._running.items())
        for partition in list(self._waiting)[: max(0, _RESTORES_MAX - moving)]:
            del self._waiting[partition]
            stop = Flag()
            restored = self._threads.submit(self._restorer.restore, partition, stop)
            self._running[partition] = _Restore(stop, restored, None, now_s)

    def _has_progress(self, partition: int, restore: _Restore, now_s: float) -> bool:
        left = self._restorer.left.get(partition)
        if left != restore.left:
            restore.left, restore.moved_s = left, now_s
        return now_s - restore.moved_s < _STUCK_S

    def abandon(self, partition: int) -> None:
        """Stops the restore of a partition, if one is running, and closes its store."""
        self._waiting.pop(partition, None)
        self._unknown.pop(partition, None)
        restore = self._running.pop(partition, None)
        if restore is not None:
            restore.stop.set()
            restore.restored.cancel()
            restore.restored.add_done_callback(_close_abandoned)

    def stop(self) -> None:
        """Signals all restores to stop; does not wait."""
        self._waiting.clear()
        for restore in self._running.values():
            restore.stop.set()

    def close(self) -> None:
        """Waits for all restores to end."""
        self._threads.shutdown()
        self._restorer.close()


def _close_abandoned(restored: Future[RunningState]) -> None:
    if not restored.cancelled() and restored.exception() is None:
        restored.result().store.close()
