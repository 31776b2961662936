"""Every error that botmeter raises on purpose, named by the recovery that it requires.

Business refusals (no sessions left, a reduction below zero, a late interaction) are results or dead letters, not
errors.
"""

from __future__ import annotations

from typing import Literal

#: The kinds of resources on which Kafka grants permissions.
Resource = Literal["topic", "group", "transactional id", "cluster"]


class BotmeterError(Exception):
    """Root of the tree; the message is one line that an operator can act on."""


class PoisonRecord(BotmeterError):  # noqa: N818 - named by the recovery
    """A record that botmeter cannot process.

    Recovery: write it to the dead letters with `reason` and go on.
    """

    def __init__(self, reason: str, message: str, account_id: str | None = None) -> None:
        super().__init__(message)
        #: One of the reasons of the contract, such as `malformed`.
        self.reason = reason
        #: The record's account, where it could be read; it may differ from the key.
        self.account_id = account_id


class Retriable(BotmeterError):  # noqa: N818
    """A transient fault of the cluster. Recovery: repeat the call with the same arguments, for a bounded time."""


class TransactionAborted(BotmeterError):  # noqa: N818
    """The transaction was aborted: nothing of the batch counts.

    Recovery: drop the batch and the states it decided, restore the tasks, rewind to the committed offsets, go on.
    """


class OutcomeUnknown(TransactionAborted):
    """A transactional call timed out: the transaction may or may not have been committed.

    Recovery: a new producer with the same transactional id, which commits or aborts the old transaction; then as for an
    aborted one. The restored journal shows whether it was committed.
    """


class Forgotten(TransactionAborted):
    """The group gave this worker's partitions to others: it was silent for too long, or a rebalance came in between.

    Recovery: as for an aborted one; the client joins again by itself.
    Operator action, when it repeats: more processor for the worker, or a longer session timeout.
    """


class TaskMigrated(BotmeterError):  # noqa: N818
    """Another worker owns our partitions or our transactional id: we were fenced.

    Recovery: drop the tasks without a commit and rejoin the group.
    Operator action, when it repeats: give each worker its own BOTMETER_INSTANCE.
    """


class TaskCorrupted(BotmeterError):  # noqa: N818
    """The local store of a task cannot be trusted. Recovery: wipe it and restore from snapshots and journal."""


class ConfigurationError(BotmeterError):
    """The configuration or the environment must be changed before botmeter can run.

    Recovery: exit with one clear line. Operator action: what the message says.
    """

    #: The exit code of the process.
    exit_code = 2


class InstanceTaken(ConfigurationError):  # noqa: N818
    """The group has another member with this worker's `group.instance.id`, and refuses this one (KIP-848).

    Recovery: join again with a new consumer. A member that was killed leaves when its session ends.
    Operator action, when it lasts: what the message says.
    """


class ClusterError(ConfigurationError):
    """The broker cannot be reached, or a topic is missing or wrong. Operator action: what the message says."""

    exit_code = 3


class PermissionMissing(ClusterError):  # noqa: N818
    """The brokers refuse a request for lack of a permission.

    Recovery: as ClusterError, after querying the brokers for the missing permission. Operator action: grant it.
    """

    def __init__(self, resource: Resource, fault: str) -> None:
        super().__init__(f"{fault}; a permission is missing, see docs/security.md: botmeter doctor names it")
        self.resource, self.fault = resource, fault


class PartitionRefused(ClusterError):  # noqa: N818
    """One partition cannot go on as it is; the others can.

    Recovery: the partition fails alone. Operator action: `remedy`, where there is one.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason, self.remedy = reason, remedy


class PartitionFailed(BotmeterError):  # noqa: N818
    """One partition's part of a batch cannot be committed; `error` is the reason. Nothing of the batch counts.

    Recovery: the partition fails alone, the others are restored and go on.
    """

    def __init__(self, partition: int, error: Exception) -> None:
        super().__init__(f"partition {partition}: {type(error).__name__}: {error}")
        self.partition, self.error = partition, error


class InvariantViolated(BotmeterError):  # noqa: N818
    """A bug: state or journal break a rule that holds by design.

    Recovery: none; the partition or the program stops at once and commits nothing.
    """
