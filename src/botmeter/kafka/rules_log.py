"""Reads, compares and records the rules in force on a cluster, and the rescues (`C5`). One process records at a time.

A recorder fences the earlier one before it reads. Readers read up to the high watermark, so they wait for a change that
is being recorded and never miss it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event as Flag
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from botmeter.contracts import catalogue
from botmeter.contracts.rescues import Rescue
from botmeter.contracts.rules import RulesHistory, RulesSet, differences
from botmeter.domain.prices import Rules
from botmeter.errors import ClusterError, ConfigurationError, Retriable
from botmeter.kafka import questions
from botmeter.kafka.clients import Config, make_producer
from botmeter.kafka.errors import cause, classify
from botmeter.kafka.reader import committed_records

#: All messages are on one partition, so that they have one order.
RULES_PARTITION: Final = 0
_CALL_TIMEOUT_S: Final = 30.0


def read_rules(reader: Consumer, admin: AdminClient, topic: str, unrecorded: Rules, stop: Flag) -> RulesHistory:
    """Returns all recorded rules; `unrecorded` are the rules in force while none are recorded.

    Raises RestoreStopped when `stop` is set, ClusterError when a record cannot be read, Retriable.
    """
    messages, end = _messages(reader, admin, topic, stop)
    return RulesHistory(messages, unrecorded, end)


def read_rescues(reader: Consumer, admin: AdminClient, topic: str, stop: Flag) -> list[Rescue]:
    """Returns only the rescues, in their order. Raises as `read_rules`."""
    messages, _ = _messages(reader, admin, topic, stop)
    return [message for message in messages if not isinstance(message, RulesSet)]


def _messages(reader: Consumer, admin: AdminClient, topic: str, stop: Flag) -> tuple[list[RulesSet | Rescue], int]:
    """All of them, and the offset up to which they were read."""
    begin = questions.begin_offsets(admin, topic, [RULES_PARTITION])[RULES_PARTITION]
    end = questions.end_offsets(admin, topic, [RULES_PARTITION])[RULES_PARTITION]
    messages: list[RulesSet | Rescue] = []
    for chunk in committed_records(reader, topic, RULES_PARTITION, begin, end, stop):
        messages.extend(_message(record) for record in chunk)
    if messages and (begin or [each.number for each in messages] != [*range(1, len(messages) + 1)]):
        raise ClusterError(f"topic {topic} has lost records: bring them back, for the log is recomputed by them")
    return messages, end


def _message(record: Message) -> RulesSet | Rescue:
    try:
        return catalogue.RULES.decode(record.value())
    except ValueError as error:
        raise ClusterError(
            f"{record.topic()}, offset {record.offset()}: {error}; a newer botmeter wrote it?"
        ) from error


def require_agreement(history: RulesHistory, rules: Rules) -> None:
    """Returns if these are the rules in force. Raises ConfigurationError, which names every difference."""
    found = differences(history.now, rules)
    if not found:
        return
    changes = ", ".join(f"{name} is {here}, in force is {there}" for name, (there, here) in found.items())
    last = history.messages[-1]
    raise ConfigurationError(
        f"{changes} (rules number {last.number}, set by {last.by}): set it as all workers of the group have it, or "
        "change the rules for all of them: stop them and run: botmeter rules set"
    )


class RulesRecorder:
    """Holds the right to record one message; a later recorder fences it.

    It has one transaction, so a repeated request of its producer that comes late finds no later one to end.
    """

    def __init__(self, producer_config: Config, topic: str) -> None:
        """`producer_config` is of a transactional producer. Raises the classified error of the cluster."""
        self._producer: Producer = make_producer(producer_config)
        self._topic = topic
        questions.retried(lambda: self._producer.init_transactions(_CALL_TIMEOUT_S), "transactions")

    def record(self, message: RulesSet, confirm: Callable[[], None] = lambda: None) -> None:
        """Records the message. `confirm` is called just before the commit; an error that it raises aborts the record.

        Raises TaskMigrated when another recorder fenced this one, OutcomeUnknown when the commit may have succeeded.
        """
        try:
            self._producer.begin_transaction()
            self._producer.produce(self._topic, catalogue.RULES.encode(message), partition=RULES_PARTITION)
            self._require_acknowledged()
            confirm()
            self._producer.commit_transaction(_CALL_TIMEOUT_S)
        except KafkaException as exception:
            self._abort()
            raise classify(cause(exception), self._topic) from exception
        except BaseException:
            self._abort()
            raise

    def _require_acknowledged(self) -> None:
        if self._producer.flush(_CALL_TIMEOUT_S):
            raise Retriable(f"topic {self._topic}: the broker did not acknowledge in time; nothing was recorded")

    def _abort(self) -> None:
        with suppress(KafkaException):  # the broker ends it, or the next recorder
            self._producer.abort_transaction(_CALL_TIMEOUT_S)
