"""Queries to a cluster besides reading records: is it up, where partitions begin and end, the ids of topics."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ListOffsetsResultInfo as _EndFound  # type: ignore[attr-defined] # as the next
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined] # public, says its documentation

from botmeter.errors import ClusterError, Retriable
from botmeter.kafka.clients import Config, make_admin
from botmeter.kafka.errors import cause, classify

T = TypeVar("T")

#: One answer of the broker; a question is asked again within its own limit.
REQUEST_TIMEOUT_S: Final = 5.0
#: Through a leader election or the restart of a broker.
QUESTION_TIMEOUT_S: Final = 30.0
#: Faults that a person has to mend, unless they pass: a new topic takes a moment until every broker knows it, and a
#: partition without a leader (which librdkafka calls _NOENT) may be between two.
PASSES_WITHIN: Final = {KafkaError.UNKNOWN_TOPIC_OR_PART: 5.0, KafkaError._NOENT: QUESTION_TIMEOUT_S}  # noqa: SLF001
#: Between two attempts.
_PAUSE_S: Final = 0.2
#: A broker that is there answers within it; one that is not should be spoken of soon.
_FIRST_ATTEMPT_S: Final = 1.0
#: How often waiting for the broker says so.
_REPORT_INTERVAL_S: Final = 5.0

#: Their makers carry no types.
_EARLIEST: Final = _OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Final = _OffsetSpec.latest()  # type: ignore[no-untyped-call]
_LATEST_TIMESTAMP: Final = _OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]

_SILENT: Final = logging.getLogger("botmeter.librdkafka.waiting")
_SILENT.disabled = True


def wait_for_broker(config: Config, timeout_s: float, report: Callable[[str], None]) -> None:
    """Return once a broker answers; until then `report` one line every few seconds.

    Args:
        config: of an admin client.
        timeout_s: how long to try; even 0 is one attempt.
        report: takes the line.

    Raises:
        ClusterError: no answer in time, or the login was refused, which no waiting mends.
    """
    servers = config["bootstrap.servers"]
    deadline = time.monotonic() + timeout_s
    faults: list[KafkaError] = []
    # librdkafka would log every refused connection, several a second; what matters of them is in our line.
    with make_admin({**config, "logger": _SILENT, "error_cb": faults.append}) as admin:
        attempt_s, reason = _FIRST_ATTEMPT_S, ""
        while not _answers(admin, attempt_s):
            admin.poll(0)  # serves error_cb
            reason = _reason(faults) or reason  # the client does not repeat itself at every attempt
            left_s = deadline - time.monotonic()
            if left_s < _PAUSE_S:  # no time for an attempt; the client may end one a little early
                raise ClusterError(
                    f"cannot reach Kafka at {servers}, tried for {timeout_s:g} s{reason}; "
                    "see BOTMETER_BOOTSTRAP_SERVERS, BOTMETER_KAFKA__SECURITY_PROTOCOL and BOTMETER_BROKER_TIMEOUT_S"
                )
            report(f"cannot reach Kafka at {servers} yet{reason}, trying for another {left_s:.0f} s")
            faults.clear()
            attempt_s = min(_REPORT_INTERVAL_S, left_s)


def _answers(admin: AdminClient, timeout_s: float) -> bool:
    try:
        admin.describe_cluster(request_timeout=timeout_s).result()
    except KafkaException as exception:
        error = classify(cause(exception))
        if not isinstance(error, Retriable):
            raise error from exception
        return False
    return True


def _reason(faults: list[KafkaError]) -> str:
    """Returns why, as far as librdkafka reported it. Raises an error that waiting cannot fix."""
    for fault in faults:
        if isinstance(refused := classify(fault), ClusterError):
            raise refused
    telling = [fault.str() for fault in faults if fault.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001
    # librdkafka ends the line with how long it had tried.
    return f" ({telling[-1].partition(' (after ')[0]})" if telling else ""


def begin_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Returns the offset of the first record that each partition still has. Raises ClusterError, Retriable."""
    return _offsets(admin, topic, partitions, _EARLIEST)


def end_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Returns the high watermark of each partition, open transactions included. Raises ClusterError, Retriable."""
    return _offsets(admin, topic, partitions, _LATEST)


#: What is known of a partition's end, once it is answered.
Answer = Future[_EndFound]
Answers = dict[int, Answer]


def ask_end_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> Answers:
    """Requests the high watermark of each partition, and does not wait for the answers.

    After a failed answer, the caller looks up the leaders again (`find_leaders`) before the next request.
    """
    return _asked(admin, topic, partitions, IsolationLevel.READ_UNCOMMITTED)


def ask_stable_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> Answers:
    """As `ask_end_offsets`, but requests what `stable_offsets` returns."""
    return _asked(admin, topic, partitions, IsolationLevel.READ_COMMITTED)


def _asked(admin: AdminClient, topic: str, partitions: Iterable[int], isolation: IsolationLevel) -> Answers:
    asked = {TopicPartition(topic, partition): _LATEST for partition in partitions}
    answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=REQUEST_TIMEOUT_S)
    return {place.partition: answer for place, answer in answers.items()}


def find_leaders(admin: AdminClient, topic: str) -> None:
    """Makes the client look up the leaders of a topic; without an answer it keeps those it knew."""
    with suppress(KafkaException):
        admin.list_topics(topic, timeout=REQUEST_TIMEOUT_S)


def stable_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Returns where a read_committed reader stops: at the first record of an open transaction, else the high watermark.

    Raises ClusterError, Retriable.
    """
    return _offsets(admin, topic, partitions, _LATEST, IsolationLevel.READ_COMMITTED)


def committed_offsets(consumer: Consumer, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
    """Returns the offset that the consumer's group has committed for each topic and partition, or None.

    The consumer must be read_uncommitted: otherwise there is no answer while a transaction is open. Raises
    ClusterError, Retriable.
    """
    asked = [TopicPartition(topic, number) for topic, number in places]
    answers = retried(lambda: _committed(consumer, asked), "the group's offsets")
    return {(each.topic, each.partition): each.offset if each.offset >= 0 else None for each in answers}


def _committed(consumer: Consumer, asked: list[TopicPartition]) -> list[TopicPartition]:
    """Returns the answer. A consumer that may not see its group only times out; a poll then returns the reason."""
    try:
        return consumer.committed(asked, timeout=REQUEST_TIMEOUT_S)
    except KafkaException:
        polled = None if consumer.assignment() else consumer.poll(0)
        error = None if polled is None else polled.error()
        if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise KafkaException(error) from None
        raise


def offsets_at(admin: AdminClient, topic: str, partitions: Iterable[int], timestamp_ms: int) -> dict[int, int]:
    """Returns the offset of each partition's first record at or after `timestamp_ms` (UTC ms), else of its end.

    Raises ClusterError, Retriable.
    """
    wanted = list(partitions)
    ends = end_offsets(admin, topic, wanted)  # asked first, so that a record written meanwhile is not stepped over
    found = _offsets(admin, topic, wanted, _OffsetSpec.for_timestamp(timestamp_ms))
    return {partition: ends[partition] if offset < 0 else offset for partition, offset in found.items()}


def latest_timestamp(admin: AdminClient, topic: str, partition: int) -> int | None:
    """Returns the highest timestamp in a partition, UTC ms; None without records. Raises ClusterError, Retriable."""
    place = TopicPartition(topic, partition)

    def ask() -> int:
        _look_at(admin, topic)
        answers = admin.list_offsets({place: _LATEST_TIMESTAMP}, request_timeout=REQUEST_TIMEOUT_S)
        return int(answers[place].result().timestamp)

    found = retried(ask, topic)
    return found if found >= 0 else None


def _offsets(
    admin: AdminClient,
    topic: str,
    partitions: Iterable[int],
    spec: _OffsetSpec,
    # Read uncommitted gives the high watermark. The last stable offset, which read committed gives, would hide records
    # that another worker's open transaction is about to commit.
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
) -> dict[int, int]:
    asked = {TopicPartition(topic, partition): spec for partition in partitions}
    if not asked:
        return {}

    def ask() -> dict[int, int]:
        _look_at(admin, topic)
        answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=REQUEST_TIMEOUT_S)
        return {partition.partition: answer.result().offset for partition, answer in answers.items()}

    return retried(ask, topic)


def _look_at(admin: AdminClient, topic: str) -> None:
    """Makes the client look up the leaders. Raises KafkaException when it may not describe the topic.

    What it knows outlives an election: it would ask with the old epoch, and be refused, until it refreshes its metadata
    minutes later. And it would report a topic that is hidden from it as one without a leader.
    """
    found = admin.list_topics(topic, timeout=REQUEST_TIMEOUT_S).topics.get(topic)
    if found is not None and found.error is not None and found.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise KafkaException(found.error)


def partitions_of(admin: AdminClient, topic: str) -> int:
    """Returns the number of partitions of a topic. Raises ClusterError, also for a missing topic, and Retriable."""

    def ask() -> int:
        answers = admin.describe_topics(TopicCollection([topic]), request_timeout=REQUEST_TIMEOUT_S)
        return len(answers[topic].result().partitions)

    return retried(ask, topic)


def existing_topics(admin: AdminClient) -> frozenset[str]:
    """Returns the names of all topics that this client may see. Raises ClusterError, Retriable."""
    return frozenset(retried(lambda: admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics, "the topics"))


def topic_ids(admin: AdminClient, names: Iterable[str]) -> dict[str, str]:
    """Returns the id of each topic: it changes when a topic is recreated. Raises ClusterError, Retriable."""
    return {name: _topic_id(admin, name) for name in names}


def _topic_id(admin: AdminClient, name: str) -> str:
    def ask() -> str:
        answers = admin.describe_topics(TopicCollection([name]), request_timeout=REQUEST_TIMEOUT_S)
        return str(answers[name].result().topic_id)

    return retried(ask, name)


def retried(ask: Callable[[], T], about: str) -> T:
    """Returns what `ask` returns; calls it again while the fault is transient, for at most 30 s.

    Raises:
        BotmeterError: by `classify`; Retriable when the time is up.
    """
    begun = time.monotonic()
    while True:
        try:
            return ask()
        except KafkaException as exception:
            fault = cause(exception)
            error = classify(fault, about)
            limit_s = QUESTION_TIMEOUT_S if isinstance(error, Retriable) else PASSES_WITHIN.get(fault.code(), 0.0)
            if time.monotonic() - begun >= limit_s:
                raise error from exception
        time.sleep(_PAUSE_S)
