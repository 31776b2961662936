"""The size limit of one transaction, over all partitions of a worker.

After a failed commit, a transaction that was too large to be committed in time would be decided again just as large.
So the budget is halved whenever a transaction fails, and grows back with each one that succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: A smaller budget would not help: a transaction this small, also in bytes, fails for other reasons.
_LEAST: Final = 100
#: Each success adds a tenth.
_REGROWTH: Final = 10
#: A cycle that rolls takes a few records and some tens of microseconds, a snapshot the bytes of a whole account.
_RECORDS_PER_CYCLE: Final = 4
_RECORDS_PER_SNAPSHOT: Final = 4
#: Several times the usual size of a record's outputs. Dead letters may have a MiB each, and snapshots eight.
_BYTES_PER_RECORD: Final = 2_048


@dataclass(slots=True)
class Allowance:
    """The part of a transaction's limit that is left."""

    records: int
    bytes: int

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left."""
        return self.records <= 0 or self.bytes <= 0

    def use(self, records: int, bytes_: int) -> None:
        """Subtracts records and bytes that were added; the last record may exceed what was left."""
        self.records -= records
        self.bytes -= bytes_


class Budget:
    """The limits of one transaction: input records with their outputs, and separately cycles and snapshots."""

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self._records = records_max

    @property
    def is_cut(self) -> bool:
        """Whether a transaction failed and the budget has not grown back yet."""
        return self._records < self._records_max

    def records(self) -> Allowance:
        """Returns the limit of input records, and of the bytes of their outputs."""
        return Allowance(self._records, self._records * _BYTES_PER_RECORD)

    @property
    def cycles(self) -> int:
        """The number of accounts whose cycles the timer may roll."""
        return max(1, self._records // _RECORDS_PER_CYCLE)

    def snapshots(self) -> Allowance:
        """Returns the limit of accounts whose snapshots may be written, and of the bytes of these snapshots."""
        return Allowance(max(1, self._records // _RECORDS_PER_SNAPSHOT), self._records * _BYTES_PER_RECORD)

    def halve(self) -> None:
        """Halves the budget after a transaction that failed, perhaps because it ran out of time."""
        self._records = max(min(_LEAST, self._records_max), self._records // 2)

    def regrow(self) -> None:
        """Raises the budget after a committed transaction."""
        self._records = min(self._records_max, self._records + max(1, self._records // _REGROWTH))
