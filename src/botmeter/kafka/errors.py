"""Maps an error of a Kafka client to the error that botmeter raises, which names the recovery.

The first row that matches counts:

| error | raised as | because |
|---|---|---|
| a permission is missing | PermissionMissing | an operator must grant it |
| the login is refused | ClusterError | an operator must fix it |
| a record is larger than its topic allows | ClusterError | the same records would be refused again |
| a transaction of a member that the group does not know any more | Forgotten | nothing of the batch counts |
| another member has the consumer's `group.instance.id` | InstanceTaken | it may be a dead one that leaves (KIP-848) |
| a newer member has taken it over | ConfigurationError | an operator must name one of them otherwise |
| fenced by a newer producer or group member | TaskMigrated | another worker owns the partitions now |
| any other fatal error | OutcomeUnknown | the producer is dead; only a new one ends its transaction |
| the transaction must be aborted | TransactionAborted | nothing of the batch counts |
| marked retriable, or a transient fault of the cluster | Retriable | the caller repeats the call, for a bounded time |
| records were deleted before they were read | PartitionRefused | an operator must fix it; other partitions go on |
| a topic is missing or refused | ClusterError | an operator must fix it |
| anything else | OutcomeUnknown | librdkafka's rule: treat an error that is not classified as fatal |

Some errors mean different things in different places, so callers check them before they call `classify`:
`_PARTITION_EOF` is no error. `_AUTO_OFFSET_RESET` in a restore means that the local store is older than the log
(TaskCorrupted). `_PURGE_QUEUE` and `_PURGE_INFLIGHT` in a delivery report come from our own abort. A transactional call
that is still Retriable at the caller's deadline is an OutcomeUnknown.
"""

# ruff: noqa: SLF001 - librdkafka's own codes are public, though they begin with an underscore

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from botmeter.errors import (
    BotmeterError,
    ClusterError,
    ConfigurationError,
    Forgotten,
    InstanceTaken,
    OutcomeUnknown,
    PartitionRefused,
    PermissionMissing,
    Resource,
    Retriable,
    TaskMigrated,
    TransactionAborted,
)

_REFUSED: Final[Mapping[int, Resource]] = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "cluster",
}
_LOGIN_REFUSED: Final = frozenset({KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._AUTHENTICATION})
_FENCED: Final = frozenset(
    {
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._FENCED,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.PRODUCER_FENCED,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.UNKNOWN_MEMBER_ID,
    }
)
#: A consumer reports a fatal error of its group once, as _FATAL; only the text tells which one it is.
_INSTANCE_FENCED: Final = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()
INSTANCE_UNRELEASED: Final = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()
_OWN_INSTANCE_ID: Final = "give each worker a BOTMETER_KAFKA__GROUP_INSTANCE_ID of its own"
#: Of them, those that the group answers a member that it gave up or that missed a rebalance. The others mean that
#: another worker has the same name.
_OF_THE_GROUP: Final = frozenset(
    {
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.UNKNOWN_MEMBER_ID,
    }
)
#: Delivery failed. librdkafka fails the transaction with it, but the delivery report of a record carries no flags.
_UNDELIVERED: Final = frozenset({KafkaError._MSG_TIMED_OUT, KafkaError.TRANSACTION_ABORTABLE})
#: librdkafka marks as retriable only what transactional calls return; these are the same faults from other calls.
_TRANSIENT: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        # The client drops a broker that left the cluster, or that it knew only by its bootstrap address.
        KafkaError._DESTROY_BROKER,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._WAIT_COORD,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.CONCURRENT_TRANSACTIONS,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_CONTROLLER,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)
_CHECK_TOPICS: Final = "run: botmeter topics create"
_RECORDS_DELETED: Final = frozenset({KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET})
#: They also require an abort of the transaction, but trying again would not help.
_TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
_OPERATOR_REMEDIES: Final[Mapping[int, str]] = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: _CHECK_TOPICS,
    KafkaError._UNKNOWN_TOPIC: _CHECK_TOPICS,
    KafkaError._UNKNOWN_PARTITION: _CHECK_TOPICS,
    KafkaError._NOENT: f"the partition has no leader or is missing; {_CHECK_TOPICS}",
    KafkaError.UNKNOWN_TOPIC_ID: "the topic was deleted and made again; restart the worker",
    KafkaError.TOPIC_EXCEPTION: "the broker refuses the topic's name",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "BOTMETER_TRANSACTION_TIMEOUT_MS is above the broker's "
    "transaction.max.timeout.ms",
    KafkaError.INVALID_REPLICATION_FACTOR: "set BOTMETER_REPLICATION_FACTOR to at most the number of brokers",
    KafkaError.INVALID_PARTITIONS: "set BOTMETER_PARTITIONS",
    KafkaError.INVALID_CONFIG: "the broker refuses the topic's configuration",
    KafkaError.POLICY_VIOLATION: "a policy of the cluster forbids it",
    KafkaError.GROUP_MAX_SIZE_REACHED: "the broker's group.max.size allows no further worker",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "the group has members of another kind; set BOTMETER_GROUP",
    KafkaError.INVALID_SESSION_TIMEOUT: "BOTMETER_KAFKA__SESSION_TIMEOUT_MS is outside the broker's "
    "group.min.session.timeout.ms and group.max.session.timeout.ms",
    KafkaError.UNSUPPORTED_VERSION: "the broker is too old",
    KafkaError._UNSUPPORTED_FEATURE: "the broker is too old",
}


#: The code with which a consumer reports that it has read a partition to its end; no error.
END_OF_PARTITION: Final = KafkaError._PARTITION_EOF


def classify(error: KafkaError, about: str = "") -> BotmeterError:
    """Returns what to raise for `error`, by the table at the top of this module.

    Args:
        error: as a client raised, returned or reported it.
        about: the subject of the call, such as a topic's name, where the error does not name it.
    """
    code = error.code()
    line = f"{f'{about}: ' if about else ''}{error.str()} ({error.name()})"
    if resource := _REFUSED.get(code):
        return PermissionMissing(resource, line)
    if code in _LOGIN_REFUSED:
        return ClusterError(f"{line}; {_login_remedy(line)}")
    if code in _TOO_LARGE:
        return ClusterError(f"{line}; max.message.bytes of the topic is too small; {_CHECK_TOPICS}")
    if INSTANCE_UNRELEASED in line:
        return InstanceTaken(f"another member of the group has this worker's group.instance.id; {_OWN_INSTANCE_ID}")
    if code == KafkaError._FATAL and _INSTANCE_FENCED in line:
        return ConfigurationError(f"another worker took this one's place in the group; {_OWN_INSTANCE_ID}")
    if code in _OF_THE_GROUP and error.txn_requires_abort():
        return Forgotten(line)
    if code in _FENCED and not error.txn_requires_abort():
        return TaskMigrated(line)
    if error.fatal():
        return OutcomeUnknown(line)
    if error.txn_requires_abort() or code in _UNDELIVERED:
        return TransactionAborted(line)
    if error.retriable() or code in _TRANSIENT:
        return Retriable(line)
    if code in _RECORDS_DELETED:
        return PartitionRefused(line, "records were deleted before they were read; see the retention of the topic")
    if remedy := _OPERATOR_REMEDIES.get(code):
        return ClusterError(f"{line}; {remedy}")
    return OutcomeUnknown(line)


def _login_remedy(refusal: str) -> str:
    """Returns what to check after a refused login, by whether the listener takes logins of this kind at all."""
    if "mechanism handshake failed" in refusal:
        return (
            "the listener takes no such login: check BOTMETER_KAFKA__SECURITY_PROTOCOL and "
            "BOTMETER_KAFKA__SASL_MECHANISM"
        )
    return "check user and password (BOTMETER_KAFKA__SASL_*)"


class Catchable:
    """Around calls of a client: raises a bare KafkaError as the KafkaException that it should have been.

    On Python before 3.12, the client raises the KafkaError itself when it logs a line just after a fatal error. That is
    no exception: not even `except BaseException` catches it, and it ends the thread.
    """

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, KafkaError):
            raise KafkaException(error) from None


def cause(exception: KafkaException | SystemError) -> KafkaError:
    """Returns the error inside an exception of the client.

    The client raises SystemError when the error happened while it called back with delivery reports.
    """
    raised = exception.__cause__ if isinstance(exception, SystemError) else exception
    error = raised.args[0] if isinstance(raised, KafkaException) else None
    if not isinstance(error, KafkaError):
        raise TypeError(f"not an error of the client: {exception!r}") from exception
    return error
