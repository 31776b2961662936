"""The projection's progress in words: one changing line at a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Final, TextIO

from botmeter.readside.projection import Progress

log = logging.getLogger(__name__)

#: Between two changes of the line at a terminal, and between two lines of a log.
_TERMINAL_S: Final = 0.5
_LOG_S: Final = 10.0
#: The pace is averaged over these last seconds.
_PACE_S: Final = 5.0


class ProgressLine:
    """Shows progress on a stream. Once the projection is level with the journal, it is logged once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._is_terminal = stream, stream.isatty()
        self._shown_s = 0.0
        self._was_level = False
        self._seen: deque[tuple[float, int]] = deque()

    def show(self, progress: Progress) -> None:
        """Takes the latest progress; shows it only when the interval has passed or the state changed."""
        now = time.monotonic()
        self._seen.append((now, progress.records))
        while now - self._seen[0][0] > _PACE_S:
            self._seen.popleft()
        if self._is_terminal and now - self._shown_s >= _TERMINAL_S:
            self._stream.write(f"\r\x1b[K{self._text(progress)}")
            self._stream.flush()
            self._shown_s = now
        elif not self._is_terminal and self._is_news(progress, now):
            log.info("read side: %s", self._text(progress))
            self._shown_s = now
        self._was_level = progress.is_level

    def end(self) -> None:
        """Ends the line at a terminal."""
        if self._is_terminal and self._shown_s:
            self._stream.write("\n")

    def _is_news(self, progress: Progress, now: float) -> bool:
        if progress.is_level or self._was_level:
            return progress.is_level and not self._was_level
        return now - self._shown_s >= _LOG_S

    def _text(self, progress: Progress) -> str:
        """The progress in words, such as `1,200,000 events written, 41,000/s, 52 % of the journal, 27 s to go`."""
        first_s, first_records = self._seen[0]
        elapsed_s = self._seen[-1][0] - first_s
        pace = (progress.records - first_records) / elapsed_s if elapsed_s > 0 else 0.0
        text = f"{progress.records:,} events written"
        if progress.is_level:
            return f"{text}, level with the journal"
        text = f"{text}, {pace:,.0f}/s"
        if progress.left is None or not progress.ends:
            return text
        text = f"{text}, {progress.next_offsets * 100 // progress.ends} % of the journal"
        return f"{text}, {progress.left / pace:,.0f} s to go" if pace >= 1 else text
