"""How long the journal is: asked once in a while beside the projection, which never waits for the answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from botmeter.errors import BotmeterError, Retriable

log = logging.getLogger(__name__)

#: Between two questions; the numbers of a page are grey from 5 s on.
_INTERVAL_S: Final = 0.5
#: One question to a cluster that answers takes milliseconds.
_QUESTION_S: Final = 5.0
#: (topic, partition) to high watermark
Ends = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Watermarks:
    """High watermarks, and when they were asked for (UTC ms): whoever has all below them is level as of then."""

    asked_at: int
    ends: Ends


class WatermarkAsker:
    """Asks in a thread of its own until it is closed. When the cluster does not answer, the last answer stays."""

    def __init__(self, ask: Callable[[], Ends]) -> None:
        self._ask = ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readside-watermarks", daemon=True)
        self._latest = Watermarks(0, {})
        self._error: BotmeterError | None = None
        self._thread.start()

    def latest(self) -> Watermarks:
        """The last answer; empty before the first. Raises what no repetition mends."""
        if self._error is not None:
            raise self._error
        return self._latest

    def close(self) -> None:
        """Ends the thread. A question under way is waited for shortly: the client is closed next."""
        self._stop.set()
        self._thread.join(_QUESTION_S)

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_S if self._latest.ends else 0):
            asked_at = time.time_ns() // 1_000_000
            try:
                self._latest = Watermarks(asked_at, self._ask())
            except Retriable as error:
                log.info("the end of the journal is not known: %s", error)
                self._stop.wait(_INTERVAL_S)
            except BotmeterError as error:
                self._error = error
                return
            except RuntimeError:
                if self._stop.is_set():  # the client was closed under the question, which nobody waits for any more
                    return
                raise
