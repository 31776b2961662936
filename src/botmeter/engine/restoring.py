"""The restores under way of one worker: begun, taken over when they are done, given up when nobody wants them.

A few run at a time. One that makes no progress, such as behind somebody's open transaction, does not keep others
waiting: the next one begins beside it.
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

#: Restores at the same time that make progress: they wait for the broker most of it.
_RESTORES_MAX: Final = 4
#: A restore that has read nothing for so long is stuck, and is not counted.
_STUCK_S: Final = 3.0
#: Threads wait for most of their time; one for each partition that a worker may own.
_THREADS_MAX: Final = 1_024
#: So often a fault of the client that nobody can name is tried again.
_UNKNOWN_MAX: Final = 5


@dataclass(slots=True)
class _Restore:
    stop: Flag
    restored: Future[RunningState]
    #: The events it had left when that was seen to change last, and when that was, by a monotonic clock.
    left: int | None
    moved_s: float


class Restoring:
    """Used by the thread that polls; each restore runs on a thread of its own."""

    def __init__(self, restorer: Restorer, clock: Clock) -> None:
        self._restorer, self._clock = restorer, clock
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="restore")
        self._under_way: dict[int, _Restore] = {}
        #: Those that wait for their turn, in order.
        self._waiting: dict[int, None] = {}
        self._unknown: Counter[int] = Counter()

    @property
    def events_left(self) -> Mapping[int, int]:
        """How many events of the journal each has still to read, by partition."""
        return self._restorer.left

    @property
    def beginnings(self) -> Mapping[int, int]:
        """Where the interactions begin of the partitions that nothing was ever committed of, and that may begin."""
        return self._restorer.beginnings

    def has_begun(self, partition: int) -> None:
        """Something of the partition is committed now."""
        self._restorer.beginnings.pop(partition, None)

    def rescued(self, partitions: Iterable[int], stop: Flag) -> set[int]:
        """Those of the partitions that somebody has rescued since their last restore; waits for the cluster."""
        return self._restorer.rescued(partitions, stop)

    def begin(self, partition: int) -> None:
        """Restores a partition as soon as it is its turn."""
        self._waiting[partition] = None
        self._admit()

    def finished(self) -> Iterator[tuple[int, RunningState | BaseException]]:
        """The partitions restored since the last call, or why one cannot be, each told once.

        A passing fault begins its restore again.
        """
        for partition in [number for number, restore in self._under_way.items() if restore.restored.done()]:
            restored = self._under_way.pop(partition).restored
            error = restored.exception()
            if self._is_passing(partition, error):
                log.warning("partition %d: restore failed, trying again: %s", partition, error)
                self.begin(partition)
                continue
            self._unknown.pop(partition, None)
            yield partition, restored.result() if error is None else error
        if self._waiting:
            self._admit()

    def _is_passing(self, partition: int, error: BaseException | None) -> bool:
        if isinstance(error, OutcomeUnknown):
            self._unknown[partition] += 1
            return self._unknown[partition] <= _UNKNOWN_MAX
        return isinstance(error, Retriable)

    def _admit(self) -> None:
        """Begins those whose turn it is."""
        now_s = self._clock.monotonic_s()
        moving = sum(self._is_moving(number, restore, now_s) for number, restore in self._under_way.items())
        for partition in list(self._waiting)[: max(0, _RESTORES_MAX - moving)]:
            del self._waiting[partition]
            stop = Flag()
            restored = self._threads.submit(self._restorer.restore, partition, stop)
            self._under_way[partition] = _Restore(stop, restored, None, now_s)

    def _is_moving(self, partition: int, restore: _Restore, now_s: float) -> bool:
        left = self._restorer.left.get(partition)
        if left != restore.left:
            restore.left, restore.moved_s = left, now_s
        return now_s - restore.moved_s < _STUCK_S

    def abandon(self, partition: int) -> None:
        """Gives up the restore of a partition, if one is under way; what it has restored by then is closed."""
        self._waiting.pop(partition, None)
        self._unknown.pop(partition, None)
        restore = self._under_way.pop(partition, None)
        if restore is not None:
            restore.stop.set()
            restore.restored.cancel()
            restore.restored.add_done_callback(_close_abandoned)

    def stop(self) -> None:
        """Asks all to stop; does not wait."""
        self._waiting.clear()
        for restore in self._under_way.values():
            restore.stop.set()

    def close(self) -> None:
        """Waits for all to end."""
        self._threads.shutdown()
        self._restorer.close()


def _close_abandoned(restored: Future[RunningState]) -> None:
    if not restored.cancelled() and restored.exception() is None:
        restored.result().store.close()
