"""Polls the high watermarks in a thread of its own, so that the projection never waits for the answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from botmeter.errors import BotmeterError, Retriable

log = logging.getLogger(__name__)

#: Between two requests; the page shows numbers as stale from 5 s on.
_INTERVAL_S: Final = 0.5
#: How long `close` waits for a request under way; a healthy cluster answers within milliseconds.
_CLOSE_TIMEOUT_S: Final = 5.0
#: (topic, partition) to high watermark
Ends = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Watermarks:
    """High watermarks, and when they were requested (UTC ms): a reader of all below them is level as of then."""

    requested_at: int
    ends: Ends


class WatermarkPoller:
    """Polls until it is closed. While the cluster does not answer, the last answer stays."""

    def __init__(self, fetch: Callable[[], Ends]) -> None:
        self._fetch = fetch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readside-watermarks", daemon=True)
        self._latest = Watermarks(0, {})
        self._error: BotmeterError | None = None
        self._thread.start()

    def latest(self) -> Watermarks:
        """The last answer; empty before the first. Raises the error that ended the thread, if one did."""
        if self._error is not None:
            raise self._error
        return self._latest

    def close(self) -> None:
        """Ends the thread. Waits briefly for a request under way, because the client is closed next."""
        self._stop.set()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_S if self._latest.ends else 0):
            requested_at = time.time_ns() // 1_000_000
            try:
                self._latest = Watermarks(requested_at, self._fetch())
            except Retriable as error:
                log.info("the end of the journal is not known: %s", error)
                self._stop.wait(_INTERVAL_S)
            except BotmeterError as error:
                self._error = error
                return
            except RuntimeError:
                if self._stop.is_set():  # the client was closed during the request; its answer is not needed any more
                    return
                raise
