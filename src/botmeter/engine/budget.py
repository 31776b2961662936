"""How much one transaction may hold, over all partitions of a worker.

A transaction that is too large to be committed in time would be decided again just as large. So its budget is halved
whenever one runs out of time, and grows back with each that succeeds.
"""

from __future__ import annotations

from typing import Final

#: Below this it makes no difference any more: a transaction that small fails for other reasons.
_LEAST: Final = 100
#: Each success gives a tenth back.
_REGROWTH: Final = 10
#: A cycle that rolls takes a few records and some tens of microseconds, a snapshot the bytes of a whole account.
_RECORDS_PER_CYCLE: Final = 4
_RECORDS_PER_SNAPSHOT: Final = 4


class Budget:
    """The records that one transaction may take; cycles that roll and snapshots have their share apart."""

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        #: Records of the inputs.
        self.records = records_max

    @property
    def cycles(self) -> int:
        """Accounts whose cycles the timer may roll."""
        return max(1, self.records // _RECORDS_PER_CYCLE)

    @property
    def snapshots(self) -> int:
        """Accounts whose snapshots may be written."""
        return max(1, self.records // _RECORDS_PER_SNAPSHOT)

    def halve(self) -> None:
        """A transaction ran out of time."""
        self.records = max(min(_LEAST, self._records_max), self.records // 2)

    def regrow(self) -> None:
        """A transaction was committed."""
        self.records = min(self._records_max, self.records + max(1, self.records // _REGROWTH))
