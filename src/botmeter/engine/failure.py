"""A partition that cannot go on: why, and what a person can do. The others of its worker meter on.

Every remedy is a command of `botmeter partition`, which says what it will cost before it does anything.
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
    """Why a partition stands, and the command that gets it going; each is part of one line."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


def is_for_all(error: BaseException) -> bool:
    """Whether it concerns the whole worker: fenced, a permission or a topic is missing, a setting is wrong."""
    if isinstance(error, PartitionRefused):
        return False
    return isinstance(error, ConfigurationError | TaskMigrated) or not isinstance(error, Exception)


def is_bug(error: BaseException) -> bool:
    """Whether its traceback is what helps."""
    return not isinstance(error, BotmeterError)


def failed_restore(partition: int, error: BaseException) -> Failure:
    """What a restore ended with, which concerns this partition alone."""
    if isinstance(error, PartitionRefused):
        return Failure(error.reason, error.remedy)
    if isinstance(error, InvariantViolated):
        return Failure(str(error), _JOURNAL.format(partition))
    if isinstance(error, TaskCorrupted):
        store = f"run: botmeter partition delete-store {partition}"
        return Failure(str(error), f"look after the disk (BOTMETER_DATA_DIR), stop the worker, {store}, start it")
    return Failure(_bug(error), _STATUS.format(partition))


def failed_record(partition: int, record: Record | None, error: BaseException) -> Failure:
    """What deciding ended with: at this record, or without one in the timer."""
    if record is None:
        return Failure(f"the timer: {_bug(error)}", _STATUS.format(partition))
    place = f"{record.topic()}@{record.offset()}"
    skip = f"run: {skip_command(partition, str(record.topic()), record.offset())}"
    if isinstance(error, PartitionRefused):
        return Failure(error.reason, f"{error.remedy}; {skip}" if error.remedy else skip)
    return Failure(f"the record {place} cannot be taken: {_bug(error)}", f"keep the log, it is a bug; then {skip}")


def _bug(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
