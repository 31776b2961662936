"""Fails a partition when so many of its records become dead letters that a sender or a setting must be wrong.

Its records then stay in the input and are metered once the cause is fixed. Dead letters would have to be redriven.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

from botmeter.engine.failure import Failure
from botmeter.metering.dead_letters import REASONS, REMEDIES

_WITHIN_S: Final = 60.0
#: A share of fewer records means little.
_RECORDS_MIN: Final = 1_000
NEVER_PERCENT: Final = 100


class _Minute:
    """The number of a partition's records and dead letters within the last minute."""

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
    """Checks each turn of each partition. A rescued one is exempt until its share has been below the limit once."""

    def __init__(self, percent: int, now_s: Callable[[], float]) -> None:
        """`percent` of a minute's records may become dead letters; 100: no limit. `now_s`: a monotonic clock."""
        self._percent, self._now_s = percent, now_s
        self._minutes: dict[int, _Minute] = {}
        self._rescued: set[int] = set()

    def passed(self, partition: int, counts: Mapping[str, int]) -> Failure | None:
        """Takes the counts of a turn; returns why the partition has to fail, None while it may continue."""
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
        self._rescued.add(partition)  # it stays failed until an operator rescues it
        return self._failure(minute)

    def _failure(self, minute: _Minute) -> Failure:
        [(reason, count)] = minute.letters.most_common(1)
        share = minute.letters.total() * 100 // minute.records
        return Failure(
            f"{share} % of {minute.records:,} records within a minute became dead letters, {count:,} of them {reason}",
            f"{REMEDIES[reason]}; to go on regardless, raise BOTMETER_DEAD_LETTER_LIMIT_PERCENT (100: any number) and "
            "restart the worker",
        )
