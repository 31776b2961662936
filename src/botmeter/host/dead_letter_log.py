"""Logs dead letters by reason, with an example and the remedy, at most once a minute for each reason."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from botmeter.contracts.cloudevents import DeadLetter, read_dead_letter
from botmeter.contracts.topics import Topics
from botmeter.engine.batch import Part
from botmeter.metering.dead_letters import REASONS, REMEDIES

log = logging.getLogger(__name__)

_EVERY_S: Final = 60.0


class DeadLetterLog:
    """Counts committed dead letters and logs them."""

    def __init__(self, topics: Topics, now_s: Callable[[], float] = time.monotonic) -> None:
        self._topic, self._now_s = topics.dead_letters.name, now_s
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, DeadLetter] = {}
        self._logged_s: dict[str, float] = {}

    def add(self, parts: Sequence[Part]) -> None:
        """Counts the dead letters of a committed batch."""
        for part in parts:
            new = [reason for reason in REASONS if part.decided.counts.get(reason)]
            for reason in new:
                self._counts[reason] += part.decided.counts[reason]
            if set(new) - self._examples.keys():
                for output in part.decided.outputs:
                    if output.topic == self._topic:
                        letter = read_dead_letter(list(output.headers))
                        self._examples.setdefault(letter.reason, letter)

    def log_due(self) -> None:
        """Logs the reasons that are due. The host calls it after every turn, also one without records."""
        for reason, count in list(self._counts.items()):
            if self._now_s() - self._logged_s.get(reason, -_EVERY_S) < _EVERY_S:
                continue
            self._logged_s[reason] = self._now_s()
            del self._counts[reason]
            example = self._examples.pop(reason)
            log.warning(
                "dead letters: %d %s, such as %s@%d:%d: %s; %s",
                count, reason, example.place.topic, example.place.partition, example.place.offset, example.message,
                REMEDIES[reason],
                extra={"reason": reason, "count": count},
            )  # fmt: skip
