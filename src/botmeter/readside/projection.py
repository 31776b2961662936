"""The projection: follows journal and deliveries, and writes them into the tables, for as long as it runs.

Far behind, a transaction takes tens of thousands of records; level with the journal, it takes new records at once.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from botmeter.contracts.rescues import LossAccepted
from botmeter.domain.events import Event
from botmeter.errors import ConfigurationError, Retriable
from botmeter.kafka import clients, questions
from botmeter.kafka.follower import Chunk, Follower
from botmeter.kafka.reader import RestoreStopped
from botmeter.kafka.rules_log import read_rescues
from botmeter.readside.database import current_generation
from botmeter.readside.pruning import HourPruner
from botmeter.readside.records import read_delivery, read_event
from botmeter.readside.rows import Gap
from botmeter.readside.tables import TABLES, Generation
from botmeter.readside.watermarks import WatermarkPoller
from botmeter.readside.writer import Advance, Batch, Overtaken, Position, Standby, Writer

log = logging.getLogger(__name__)

#: How long to wait for the next record; a stop is noticed after it.
_POLL_S: Final = 0.1
#: How often the progress is written when no records come; this also renews the lease.
_HEARTBEAT_MS: Final = 1_000
#: Between two attempts: of a projection that stands by, and of one whose database or cluster does not answer.
_STANDBY_S: Final = 1.0
_PAUSE_S: Final = 2.0
#: How often to look for a topic that does not exist yet.
_LOOK_FOR_TOPICS_MS: Final = 30_000

TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Source:
    """What is projected: the cluster and its topics; the topic of the deliveries need not exist."""

    bootstrap_servers: str
    kafka: dict[str, str] = field(repr=False)
    group: str
    journal: str
    deliveries: str
    rules: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a projection is. `records` were written since it started; `ends` is None until it is known."""

    records: int
    next_offsets: int
    ends: int | None
    is_level: bool

    @property
    def left(self) -> int | None:
        """Offsets still to be read, transaction markers included."""
        return None if self.ends is None else max(self.ends - self.next_offsets, 0)


class Projection:
    """Projects into the current tables, or those of a rebuild. `run` returns when it is stopped."""

    def __init__(
        self,
        engine: Engine,
        source: Source,
        *,
        batch_records: int,
        hours_days: int,
        rebuilt: Generation | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """`hours_days` is how long usage by the hour is kept; `on_progress` gets the progress and must be quick."""
        self._engine, self._source, self._batch_records, self._rebuilt = engine, source, batch_records, rebuilt
        self._on_progress = on_progress
        self._owner = f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid4().hex[:12]}"
        self._records, self._hours_days = 0, hours_days
        #: Partition and offset of the last gap found.
        self._gap: tuple[int, int] | None = None

    def run(self, stop: threading.Event) -> None:
        """Projects until `stop` is set.

        Raises:
            ConfigurationError: a topic was recreated, or the cluster refuses access: an operator must fix it.
            Gap: the journal lacks events or holds a record that is none, and no operator has accepted the loss.
            InvariantViolated: the journal's events do not follow each other, or a delivery cannot be read.
        """
        admin = clients.make_admin(clients.admin_config(self._source.kafka, self._source.bootstrap_servers))
        with admin:
            while not stop.is_set():
                try:
                    self._follow(admin, stop)
                except Gap as gap:
                    if gap.place == self._gap:
                        raise
                    self._gap = gap.place
                    log.warning("read side: %s; checking whether an operator has accepted the loss", gap)
                except RestoreStopped:
                    return
                except Overtaken as overtaken:
                    log.info("read side: %s; reading the offsets again", overtaken)
                except Standby as standby:
                    log.debug("read side: %s; standing by", standby)
                    stop.wait(_STANDBY_S)
                except Retriable as error:
                    log.warning("read side: %s; trying again", error)
                    stop.wait(_PAUSE_S)
                except (OperationalError, InterfaceError) as error:
                    log.warning("read side: the database does not answer (%s); trying again", error.orig)
                    stop.wait(_PAUSE_S)

    def _follow(self, admin: Any, stop: threading.Event) -> None:
        """Projects until it is stopped, or must reopen the topics because a missing one may exist now."""
        generation = self._rebuilt or current_generation(self._engine)
        current = None if self._rebuilt else generation
        writer = Writer(self._engine, TABLES[generation], self._owner, current)
        writer.write(Batch(), _now())  # takes the lease first: a projection that stands by opens no connections
        topics = {self._source.journal, self._source.deliveries} & questions.existing_topics(admin)
        ids = questions.topic_ids(admin, {self._source.journal, *topics})
        positions = self._positions(writer, ids)
        writer.gaps_below = self._accepted_losses(admin, ids[self._source.journal], stop)
        follower = Follower(clients.make_consumer(self._reader_config()))
        watermarks = WatermarkPoller(lambda: _ends(admin, positions))
        try:
            follower.follow(self._start_offsets(admin, positions))
            pruner = HourPruner(self._engine, TABLES[generation], self._hours_days)
            self._pump(follower, writer, watermarks, positions, pruner, stop, is_topic_missing=len(topics) == 1)
        finally:
            watermarks.close()
            follower.close()
            writer.release(_now())

    def _pump(
        self,
        follower: Follower,
        writer: Writer,
        watermarks: WatermarkPoller,
        positions: dict[TopicPartition, Position],
        pruner: HourPruner,
        stop: threading.Event,
        *,
        is_topic_missing: bool,
    ) -> None:
        started_at = heartbeat_at = _now()
        while not stop.is_set():
            chunk = follower.read(self._batch_records, _POLL_S)
            now = _now()
            is_due = now - heartbeat_at >= _HEARTBEAT_MS
            if not chunk.positions and not is_due:
                continue
            advancing = positions if is_due else chunk.positions
            batch = self._batch(chunk, watermarks, positions, advancing, writer.gaps_below)
            writer.write(batch, now)
            self._records += len(batch.events)
            for advance in batch.advances:
                known = advance.position
                positions[known.topic, known.partition] = Position(
                    known.topic, known.partition, known.topic_id, advance.next_offset
                )
            heartbeat_at = now if is_due else heartbeat_at
            self._report_progress(watermarks, positions)
            if not chunk.records:
                pruner.step(now)
            if is_topic_missing and now - started_at > _LOOK_FOR_TOPICS_MS:
                return

    def _accepted_losses(self, admin: Any, journal_id: str, stop: threading.Event) -> dict[int, int]:
        """By partition: the journal offset below which an operator has accepted that events are lost."""
        source, losses = self._source, dict[int, int]()
        with closing(clients.make_consumer(self._reader_config())) as reader:
            for rescue in read_rescues(reader, admin, source.rules, stop):
                if isinstance(rescue, LossAccepted):
                    losses[rescue.partition] = rescue.reaches_to(source.journal, journal_id)
        return losses

    def _batch(
        self,
        chunk: Chunk,
        watermarks: WatermarkPoller,
        positions: dict[TopicPartition, Position],
        advancing: Iterable[TopicPartition],
        gaps_below: dict[int, int],
    ) -> Batch:
        batch, event_at = Batch(), dict[TopicPartition, int]()
        for record in chunk.records:
            topic, partition, offset = record.topic() or "", record.partition() or 0, record.offset() or 0
            if topic == self._source.journal:
                event = _event(record.value(), partition, offset, gaps_below)
                if event is not None:
                    batch.events.append((partition, offset, event))
                    event_at[topic, partition] = event.at
            else:
                batch.deliveries.append((offset, read_delivery(record.value(), partition, offset)))
        latest = watermarks.latest()
        for topic_partition in advancing:
            position = positions[topic_partition]
            next_offset = max(chunk.positions.get(topic_partition, 0), position.next_offset)
            end = latest.ends.get(topic_partition)
            is_level = end is not None and next_offset >= end
            batch.advances.append(
                Advance(
                    position=position,
                    next_offset=next_offset,
                    high_watermark=max(next_offset, end or 0),
                    event_at=event_at.get(topic_partition),
                    level_at=latest.requested_at if is_level else None,
                )
            )
        return batch

    def _report_progress(self, watermarks: WatermarkPoller, positions: dict[TopicPartition, Position]) -> None:
        ends = watermarks.latest().ends
        read = {topic_partition: position.next_offset for topic_partition, position in positions.items()}
        is_level = bool(ends) and all(read[topic_partition] >= end for topic_partition, end in ends.items())
        self._on_progress(Progress(self._records, sum(read.values()), sum(ends.values()) if ends else None, is_level))

    def _positions(self, writer: Writer, ids: dict[str, str]) -> dict[TopicPartition, Position]:
        positions: dict[TopicPartition, Position] = {}
        for topic, topic_id in ids.items():
            for position in writer.positions(topic, topic_id, range(self._source.partitions), _now()):
                if position.topic_id != topic_id:
                    raise ConfigurationError(
                        f"the topic {topic} was deleted and recreated since it was projected; "
                        "botmeter project --rebuild projects the new one from its beginning"
                    )
                positions[topic, position.partition] = position
        return positions

    def _start_offsets(self, admin: Any, positions: dict[TopicPartition, Position]) -> dict[TopicPartition, int]:
        """The offsets to continue from. Old deliveries may have been deleted by retention.

        The journal is kept for ever; if records of it were deleted all the same, the follower raises.
        """
        offsets = {topic_partition: position.next_offset for topic_partition, position in positions.items()}
        old = [partition for topic, partition in positions if topic == self._source.deliveries]
        for partition, offset in questions.begin_offsets(admin, self._source.deliveries, old).items():
            topic_partition = self._source.deliveries, partition
            offsets[topic_partition] = max(offsets[topic_partition], offset)
        return offsets

    def _reader_config(self) -> dict[str, Any]:
        source = self._source
        config = clients.reader_config(source.kafka, source.bootstrap_servers, source.group)
        return {**config, "client.id": "botmeter-readside"}


def _event(value: bytes | None, partition: int, offset: int, gaps_below: dict[int, int]) -> Event | None:
    """Returns the event of a journal record; None for a record that is none, where an operator has accepted that."""
    try:
        return read_event(value)
    except ValueError as error:
        if offset < gaps_below.get(partition, 0):
            return None
        fault = f"{error}; use the version that wrote it, or, if no botmeter did"
        raise Gap(partition, offset, fault) from error


def _ends(admin: Any, positions: dict[TopicPartition, Position]) -> dict[TopicPartition, int]:
    partitions: dict[str, list[int]] = {}
    for topic, partition in list(positions):
        partitions.setdefault(topic, []).append(partition)
    return {
        (topic, partition): end
        for topic, numbers in partitions.items()
        for partition, end in questions.end_offsets(admin, topic, numbers).items()
    }


def _now() -> int:
    """This machine's time, UTC ms."""
    return time.time_ns() // 1_000_000
