"""The restores under way of one worker: begun, taken over when they are done, given up when nobody wants them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event as Flag
from typing import Final

from botmeter.engine.restore import Restorer
from botmeter.engine.running_state import RunningState
from botmeter.errors import Retriable

log = logging.getLogger(__name__)

#: Restores at the same time: they wait for the broker most of it.
_RESTORES_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class _Restore:
    stop: Flag
    restored: Future[RunningState]


class Restoring:
    """Used by the thread that polls; each restore runs on a thread of its own."""

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer
        self._threads = ThreadPoolExecutor(_RESTORES_MAX, thread_name_prefix="restore")
        self._under_way: dict[int, _Restore] = {}

    @property
    def events_left(self) -> Mapping[int, int]:
        """How many events of the journal each has still to read, by partition."""
        return self._restorer.left

    def begin(self, partition: int) -> None:
        """Begins to restore a partition."""
        stop = Flag()
        self._under_way[partition] = _Restore(stop, self._threads.submit(self._restorer.restore, partition, stop))

    def finished(self) -> Iterator[tuple[int, RunningState]]:
        """The partitions restored since the last call, each told once; a passing fault begins its restore again.

        Raises what a restore ended with otherwise.
        """
        for partition in [number for number, restore in self._under_way.items() if restore.restored.done()]:
            restored = self._under_way.pop(partition).restored
            if isinstance(passing := restored.exception(), Retriable):
                log.warning("partition %d: restore failed, trying again: %s", partition, passing)
                self.begin(partition)
                continue
            yield partition, restored.result()

    def abandon(self, partition: int) -> None:
        """Gives up the restore of a partition, if one is under way; what it has restored by then is closed."""
        restore = self._under_way.pop(partition, None)
        if restore is not None:
            restore.stop.set()
            restore.restored.cancel()
            restore.restored.add_done_callback(_close_abandoned)

    def stop(self) -> None:
        """Asks all to stop; does not wait."""
        for restore in self._under_way.values():
            restore.stop.set()

    def close(self) -> None:
        """Waits for all to end."""
        self._threads.shutdown()
        self._restorer.close()


def _close_abandoned(restored: Future[RunningState]) -> None:
    if not restored.cancelled() and restored.exception() is None:
        restored.result().store.close()
