"""How much one transaction may hold, over all partitions of a worker.

A transaction that is too large to be committed in time would be decided again just as large. So its budget is halved
whenever one fails, and grows back with each that succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Below this it makes no difference any more: a transaction that small fails for other reasons. Its bytes are few, too.
_LEAST: Final = 100
#: Each success gives a tenth back.
_REGROWTH: Final = 10
#: A cycle that rolls takes a few records and some tens of microseconds, a snapshot the bytes of a whole account.
_RECORDS_PER_CYCLE: Final = 4
_RECORDS_PER_SNAPSHOT: Final = 4
#: Several times what a record comes to at most times. Dead letters may be a MiB each, and snapshots eight.
_BYTES_PER_RECORD: Final = 2_048


@dataclass(slots=True)
class Allowance:
    """What may still be put into a transaction."""

    records: int
    bytes: int

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more may."""
        return self.records <= 0 or self.bytes <= 0

    def use(self, records: int, bytes_: int) -> None:
        """So much was put into it; the last of it may be more than was left."""
        self.records -= records
        self.bytes -= bytes_


class Budget:
    """Of one transaction: records of the inputs with what they come to; cycles and snapshots have their share apart."""

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self._records = records_max

    @property
    def is_cut(self) -> bool:
        """Whether a transaction failed and not enough have succeeded since."""
        return self._records < self._records_max

    def records(self) -> Allowance:
        """Records of the inputs, and bytes of the outputs that they come to."""
        return Allowance(self._records, self._records * _BYTES_PER_RECORD)

    @property
    def cycles(self) -> int:
        """Accounts whose cycles the timer may roll."""
        return max(1, self._records // _RECORDS_PER_CYCLE)

    def snapshots(self) -> Allowance:
        """Accounts whose snapshots may be written, and how large these may be together."""
        return Allowance(max(1, self._records // _RECORDS_PER_SNAPSHOT), self._records * _BYTES_PER_RECORD)

    def halve(self) -> None:
        """A transaction failed, perhaps because it ran out of time."""
        self._records = max(min(_LEAST, self._records_max), self._records // 2)

    def regrow(self) -> None:
        """A transaction was committed."""
        self._records = min(self._records_max, self._records + max(1, self._records // _REGROWTH))
