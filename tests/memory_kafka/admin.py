"""The questions to the cluster that botmeter asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from types import SimpleNamespace
from typing import Any, Self, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition

from .broker import MemoryBroker, timed_out
from .groups import Member
from .log import Log, Refused
from .world import Awaited, Fate, Process

T = TypeVar("T")
_EARLIEST, _LATEST, _LATEST_TIMESTAMP = -2, -1, -3


class MemoryAdmin:
    """Answers when asked; the futures it returns are done."""

    def __init__(self, broker: MemoryBroker, process: Process) -> None:
        self._broker, self._process = broker, process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def poll(self, timeout: float = 0) -> int:
        del timeout
        return 0

    def describe_cluster(self, request_timeout: float = 5.0) -> Future[Any]:
        return self._answer(lambda: SimpleNamespace(nodes=[]), request_timeout)

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        del topic, timeout
        self._process.require_alive()
        return SimpleNamespace(topics=dict.fromkeys(self._broker.topics))

    def describe_topics(self, topics: TopicCollection, request_timeout: float = 5.0) -> dict[str, Future[Any]]:
        def describe(name: str) -> Any:
            if name not in self._broker.topic_ids:
                raise Refused(KafkaError.UNKNOWN_TOPIC_OR_PART)
            partitions = [None] * self._broker.partitions_of(name)
            return SimpleNamespace(topic_id=self._broker.topic_ids[name], partitions=partitions)

        names: list[str] = topics.topic_names
        return {name: self._answer(partial(describe, name), request_timeout) for name in names}

    def describe_consumer_groups(
        self,
        names: list[str],
        include_authorized_operations: bool = False,  # noqa: FBT001, FBT002 - its name for it
        request_timeout: float = 5.0,
    ) -> dict[str, Future[Any]]:
        del include_authorized_operations

        def describe(name: str) -> Any:
            members = [_described(member) for member in self._broker.group(name).members.values()]
            return SimpleNamespace(state=SimpleNamespace(name="STABLE"), members=members, authorized_operations=None)

        return {name: self._answer(partial(describe, name), request_timeout) for name in names}

    def list_offsets(
        self,
        asked: Mapping[TopicPartition, Any],
        isolation_level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
        request_timeout: float = 5.0,
    ) -> dict[TopicPartition, Future[Any]]:
        is_committed_only = isolation_level is IsolationLevel.READ_COMMITTED

        def find(partition: TopicPartition, spec: Any) -> Any:
            log = self._broker.log((partition.topic, partition.partition))
            if spec._value == _LATEST_TIMESTAMP:
                return SimpleNamespace(offset=-1, timestamp=log.latest_timestamp())
            return SimpleNamespace(offset=_offset(log, spec._value, is_committed_only))

        def find_all() -> dict[TopicPartition, Any]:
            return {partition: find(partition, spec) for partition, spec in asked.items()}

        asking = self._answer(find_all, request_timeout)
        answers = {partition: self._awaited() for partition in asked}

        def hand_on(_: Future[Any]) -> None:
            for partition, answer in answers.items():
                if (error := asking.exception()) is not None:
                    answer.set_exception(error)
                else:
                    answer.set_result(asking.result()[partition])

        asking.add_done_callback(hand_on)
        return answers

    def _awaited(self) -> Future[Any]:
        return Awaited(self._broker.world, self._process)

    def _answer(self, call: Callable[[], T], timeout_s: float) -> Future[T]:
        """Returns at once; the answer comes later."""
        world, future = self._broker.world, self._awaited()
        world.passes(self._process, "before question")

        def answer() -> None:
            try:
                future.set_result(call())
            except Refused as refused:
                future.set_exception(KafkaException(KafkaError(refused.code)))

        if world.fate(self._process, "question") is Fate.ARRIVES:
            world.after(world.delay_ms("answer"), answer)
        else:
            world.after(int(timeout_s * 1000), lambda: future.set_exception(timed_out("question")))
        return future


def _described(member: Member) -> Any:
    places = [TopicPartition(*place) for place in sorted(member.assignment)]
    name, assignment = member.client.process.name, SimpleNamespace(topic_partitions=places)
    return SimpleNamespace(client_id=name, host="memory", member_id=member.id, assignment=assignment)


def _offset(log: Log, spec: int, is_committed_only: bool) -> int:  # noqa: FBT001 - a reader's isolation
    if spec == _EARLIEST:
        return log.begin
    return log.limit(is_committed_only) if spec == _LATEST else log.offset_at(spec)
