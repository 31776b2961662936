"""Every error botmeter raises on purpose, named by the recovery it asks for.

Business refusals (no sessions left, a reduction below zero, a late interaction) are results or dead letters, not
errors.
"""

from __future__ import annotations

from typing import Literal

#: What Kafka grants permissions on.
Resource = Literal["topic", "group", "transactional id", "cluster"]


class BotmeterError(Exception):
    """Root of the tree; the message is one line a person can act on."""


class PoisonRecord(BotmeterError):  # noqa: N818 - named by what is to be done with it
    """A record that botmeter cannot take.

    Recovery: write it to the dead letters with `reason` and go on.
    """

    def __init__(self, reason: str, message: str, account_id: str | None = None) -> None:
        super().__init__(message)
        #: One of the reasons of the contract, such as `malformed`.
        self.reason = reason
        #: Whose record it is, where that could be read and may be another than its key says.
        self.account_id = account_id


class Retriable(BotmeterError):  # noqa: N818
    """A passing fault of the cluster. Recovery: the same call again with the same arguments, bounded in time."""


class TransactionAborted(BotmeterError):  # noqa: N818
    """The transaction was aborted: nothing of the batch counts.

    Recovery: drop the batch and the states it decided, restore the tasks, rewind to the committed offsets, go on.
    """


class OutcomeUnknown(TransactionAborted):
    """A transactional call ran out of time: the transaction may or may not have been committed.

    Recovery: a new producer with the same transactional id (which ends the old transaction one way or the other), then
    as for an aborted one: the restored journal tells which way it went.
    """


class TaskMigrated(BotmeterError):  # noqa: N818
    """Another worker owns our partitions or our transactional id: we were fenced.

    Recovery: drop the tasks without a commit and rejoin the group.
    Operator action, when it repeats: give each worker its own BOTMETER_INSTANCE.
    """


class TaskCorrupted(BotmeterError):  # noqa: N818
    """The local store of a task cannot be trusted. Recovery: wipe it and restore from snapshots and journal."""


class ConfigurationError(BotmeterError):
    """Something outside must be changed before botmeter can run.

    Recovery: exit with one clear line. Operator action: what the message says.
    """

    #: What the process exits with.
    exit_code = 2


class ClusterError(ConfigurationError):
    """The broker cannot be reached, or a topic is missing or wrong. Operator action: what the message says."""

    exit_code = 3


class PermissionMissing(ClusterError):  # noqa: N818
    """The brokers refuse what the program has to do.

    Recovery: as above, after the brokers were asked which permission it is. Operator action: grant it.
    """

    def __init__(self, resource: Resource, fault: str) -> None:
        super().__init__(f"{fault}; a permission is missing, see docs/security.md: botmeter doctor names it")
        self.resource, self.fault = resource, fault


class PartitionRefused(ClusterError):  # noqa: N818
    """One partition cannot go on as it is, though nothing is wrong with the others.

    Recovery: the partition fails alone. Operator action: `remedy`, where there is one.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason, self.remedy = reason, remedy


class PartitionFailed(BotmeterError):  # noqa: N818
    """What one partition brought to a commit cannot be committed; the cause says why. Nothing of the batch counts.

    Recovery: the partition fails alone, the others are restored and go on.
    """

    def __init__(self, partition: int, error: Exception) -> None:
        super().__init__(f"partition {partition}: {type(error).__name__}: {error}")
        self.partition, self.error = partition, error


class InvariantViolated(BotmeterError):  # noqa: N818
    """A bug: state or journal break a rule that holds by design.

    Recovery: none; what it concerns, a partition or the program, stops at once and commits nothing.
    """
