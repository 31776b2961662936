"""A partition that cannot continue: why, and what an operator can do. The worker's other partitions continue.

Every remedy is a command of `botmeter partition`, which shows its consequences before it changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from botmeter.contracts.partition_notes import skip_command
from botmeter.errors import (
    BotmeterError,
    ConfigurationError,
    InvariantViolated,
    PartitionRefused,
    TaskCorrupted,
    TaskMigrated,
)
from botmeter.metering.records import Record

_JOURNAL: Final = "run: botmeter partition restore-from {} journal"
_STATUS: Final = "keep the log, it is a bug; then run: botmeter partition status {}, and restart the worker"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a partition failed, and the command that fixes it; both are printed on one line."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


def is_for_all(error: BaseException) -> bool:
    """Whether the error concerns the whole worker: fencing, a missing permission or topic, a wrong setting."""
    if isinstance(error, PartitionRefused):
        return False
    return isinstance(error, ConfigurationError | TaskMigrated) or not isinstance(error, Exception)


def is_bug(error: BaseException) -> bool:
    """Whether the error is a bug, so that its traceback is needed."""
    return not isinstance(error, BotmeterError)


def failed_restore(partition: int, error: BaseException) -> Failure:
    """Describes the error of a restore that concerns only this partition."""
    if isinstance(error, PartitionRefused):
        return Failure(error.reason, error.remedy)
    if isinstance(error, InvariantViolated):
        return Failure(str(error), _JOURNAL.format(partition))
    if isinstance(error, TaskCorrupted):
        store = f"run: botmeter partition delete-store {partition}"
        return Failure(str(error), f"look after the disk (BOTMETER_DATA_DIR), stop the worker, {store}, start it")
    return Failure(_bug(error), _STATUS.format(partition))


def failed_record(partition: int, record: Record | None, error: BaseException) -> Failure:
    """Describes the error of a decision: at this record, or in the timer when there is no record."""
    if record is None:
        return Failure(f"the timer: {_bug(error)}", _STATUS.format(partition))
    place = f"{record.topic()}@{record.offset()}"
    skip = f"run: {skip_command(partition, str(record.topic()), record.offset())}"
    if isinstance(error, PartitionRefused):
        return Failure(error.reason, f"{error.remedy}; {skip}" if error.remedy else skip)
    return Failure(f"the record {place} cannot be taken: {_bug(error)}", f"keep the log, it is a bug; then {skip}")


def _bug(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
