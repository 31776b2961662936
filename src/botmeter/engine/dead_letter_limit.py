"""When so many of a partition's records become dead letters that a sender must be at fault, the partition stands.

Its records stay in the input then, to be metered once the sender or a setting is mended; a dead letter would have to be
sent back by hand.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

from botmeter.engine.failure import Failure
from botmeter.metering.dead_letters import REASONS, REMEDIES

_WITHIN_S: Final = 60.0
#: Of fewer records a share says little.
_RECORDS_MIN: Final = 1_000
NEVER_PERCENT: Final = 100


class _Minute:
    """What became of a partition's records lately."""

    def __init__(self) -> None:
        self.records = 0
        self.letters: Counter[str] = Counter()
        self._turns: deque[tuple[float, int, Counter[str]]] = deque()

    def take(self, counts: Mapping[str, int], now_s: float) -> None:
        letters = Counter({reason: counts[reason] for reason in REASONS if counts.get(reason)})
        records = sum(counts.values())
        self._turns.append((now_s, records, letters))
        self.records += records
        self.letters += letters
        while now_s - self._turns[0][0] > _WITHIN_S:
            _, records, letters = self._turns.popleft()
            self.records -= records
            self.letters -= letters


class DeadLetterLimit:
    """Looks at each turn of each partition. A partition that was rescued goes on until its share was below once."""

    def __init__(self, percent: int, now_s: Callable[[], float]) -> None:
        """`percent` of a minute's records may become dead letters; 100 is any number. `now_s`: a monotonic clock."""
        self._percent, self._now_s = percent, now_s
        self._minutes: dict[int, _Minute] = {}
        self._rescued: set[int] = set()

    def passed(self, partition: int, counts: Mapping[str, int]) -> Failure | None:
        """Takes what a turn came to; why the partition is to stand, None while it may go on."""
        if self._percent >= NEVER_PERCENT or not counts:
            return None
        minute = self._minutes.setdefault(partition, _Minute())
        minute.take(counts, self._now_s())
        if minute.records < _RECORDS_MIN:
            return None
        if minute.letters.total() * 100 <= self._percent * minute.records:
            self._rescued.discard(partition)
            return None
        if partition in self._rescued:
            return None
        self._rescued.add(partition)  # it stands until somebody rescues it
        return self._failure(minute)

    def _failure(self, minute: _Minute) -> Failure:
        [(reason, count)] = minute.letters.most_common(1)
        share = minute.letters.total() * 100 // minute.records
        return Failure(
            f"{share} % of {minute.records:,} records within a minute became dead letters, {count:,} of them {reason}",
            f"{REMEDIES[reason]}; to go on regardless, raise BOTMETER_DEAD_LETTER_LIMIT_PERCENT (100: any number) and "
            "restart the worker",
        )
