"""The input partitions of a worker's tasks: assigned, their records distributed, paused when too many wait."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from botmeter.contracts.topics import Topics
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.task import Input, Task
from botmeter.errors import PartitionRefused, Retriable, TaskMigrated
from botmeter.kafka.errors import END_OF_PARTITION, classify
from botmeter.metering.records import LOG_APPEND_TIME

log = logging.getLogger(__name__)

#: Reading of an input partition pauses above this number, or this total size, of records read but not yet taken.
_WAITING_MAX: Final = 100_000
_WAITING_MAX_BYTES: Final = 64 * 1024 * 1024

Place = tuple[str | None, int | None]


class Inputs:
    """The input partitions assigned to the client, two per task."""

    def __init__(self, consumer: Consumer, topics: Topics, broker_time: BrokerTime) -> None:
        self._consumer, self._broker_time = consumer, broker_time
        self._names = (topics.interactions.name, topics.commands.name)
        self._inputs: dict[Place, Input] = {}
        self._paused: set[Place] = set()
        #: The partitions whose input cannot be read, and why; the reader of this removes them.
        self.refused: dict[int, PartitionRefused] = {}

    def assign(self, task: Task) -> None:
        """Starts to read the inputs of a task that was just restored, from its positions on."""
        interactions, commands = self._pair(task.partition)
        interactions.offset, commands.offset = task.interactions.position, task.commands.position
        self._inputs[interactions.topic, task.partition] = task.interactions
        self._inputs[commands.topic, task.partition] = task.commands
        self._consumer.incremental_assign([interactions, commands])
        # The client keeps an input paused that was paused when it was unassigned.
        self._consumer.resume([interactions, commands])

    def forget(self, partition: int) -> list[TopicPartition]:
        """Drops a partition; returns the input partitions that the client has to unassign."""
        pair = self._pair(partition)
        for assigned in pair:
            self._inputs.pop((assigned.topic, partition), None)
            self._paused.discard((assigned.topic, partition))
        return pair

    def distribute(self, messages: list[Message]) -> None:
        """Appends the messages to their inputs, whole runs of one input at a time.

        Raises the errors of the client, classified, except those that it recovers from by itself.
        """
        begin, place = 0, _place(messages[0]) if messages else (None, None)
        for index, message in enumerate(messages):
            here, error = (message.topic(), message.partition()), message.error()
            if here == place and error is None:
                continue
            self._append(place, messages[begin:index])
            begin, place = index, here
            if error is not None:
                self._handle(error, message, self._inputs.get(here))
                begin = index + 1
        self._append(place, messages[begin:])

    def _append(self, place: Place, run: list[Message]) -> None:
        input_ = self._inputs.get(place)
        if input_ is not None and run:
            kind, timestamp = run[-1].timestamp()
            if kind == LOG_APPEND_TIME:
                self._broker_time.note(timestamp)
            input_.extend(run)  # type: ignore[arg-type]  # a record without an error has key, value, offset

    def _handle(self, error: KafkaError, message: Message, input_: Input | None) -> None:
        if error.code() == END_OF_PARTITION:
            if input_ is not None:
                input_.end = message.offset()
            return
        mapped = classify(error, message.topic() or "")
        number = message.partition()
        if isinstance(mapped, PartitionRefused) and number is not None:
            self.refused[number] = mapped  # not raised, or the messages of the same chunk would be lost
            return
        if not isinstance(mapped, Retriable | TaskMigrated):
            raise mapped
        log.info("consumer: %s", mapped)  # the client reconnects and rejoins by itself

    def known_end(self, partition: int) -> int:
        """Returns a lower bound of the end of a partition's interactions, which the client got with records."""
        place = TopicPartition(self._names[0], partition)
        return max(0, self._consumer.get_watermark_offsets(place, cached=True)[1])

    def throttle(self, tasks: Iterable[Task]) -> None:
        """Pauses inputs of which more than a few batches wait, until these are taken; called for each chunk."""
        for task in tasks:
            for name, input_ in zip(self._names, (task.interactions, task.commands), strict=True):
                place, is_full = (name, task.partition), _is_full(input_)
                if is_full and place not in self._paused:
                    self._paused.add(place)
                    self._consumer.pause([TopicPartition(*place)])
                elif not is_full and place in self._paused:
                    self._paused.discard(place)
                    self._consumer.resume([TopicPartition(*place)])

    def _pair(self, partition: int) -> list[TopicPartition]:
        return [TopicPartition(name, partition) for name in self._names]


def _is_full(input_: Input) -> bool:
    return len(input_.waiting) > _WAITING_MAX or sum(input_.sizes()) > _WAITING_MAX_BYTES


def _place(message: Message) -> Place:
    return message.topic(), message.partition()
