"""Reads the worker's outputs on a thread of its own and folds them into the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from botmeter.demo.model import Model
from botmeter.demo.reading import Place, Reader
from botmeter.kafka import clients

#: How long reading to the end may take, once everything is written.
_CATCH_UP_TIMEOUT_S: Final = 30.0


class Watch:
    """Reads while its block runs. Other threads hold the `lock` to read `model`."""

    def __init__(self, config: clients.Config, model: Model, partitions: int) -> None:
        """`config` is made by `clients.reader_config`."""
        topics = (topic.name for topic in model.topics.all() if topic.direction == "out")
        self._places = [(topic, number) for topic in topics for number in range(partitions)]
        self._config = config
        self._model = model
        self._ends: Mapping[Place, int] | None = None
        self._is_stopped = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        """Starts reading."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops reading."""
        self._is_stopped = True
        self._thread.join()

    def require_health(self) -> None:
        """Raises the error that ended the reading, if any."""
        if self._failure is not None:
            raise self._failure

    def catch_up(self, ends: Mapping[Place, int], on_progress: Callable[[], None]) -> None:
        """Returns once everything before `ends` is in the model, or after 30 s; calls `on_progress` meanwhile."""
        self._ends = ends
        deadline = time.monotonic() + _CATCH_UP_TIMEOUT_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(0.1)
            on_progress()
        self.require_health()

    def _run(self) -> None:
        reader = Reader(self._config)
        try:
            reader.begin(self._places)
            while not self._is_stopped and (self._ends is None or not reader.has_reached(self._ends)):
                records = reader.batch()
                received_at = time.time_ns() // 1_000_000
                with self.lock:
                    for record in records:
                        self._model.take(record, received_at)
        except BaseException as error:  # noqa: BLE001 - require_health raises it
            self._failure = error
        finally:
            reader.close()
