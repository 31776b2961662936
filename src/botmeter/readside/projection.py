"""The projection: follows journal and deliveries, and writes what they say, for as long as it runs.

Far behind, a transaction takes tens of thousands of records; level with the journal, it takes what has come, at once.
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
from botmeter.readside.watermarks import WatermarkAsker
from botmeter.readside.writer import Advance, Batch, Overtaken, Position, Standby, Writer

log = logging.getLogger(__name__)

#: How long the next record is waited for; a stop is noticed after it.
_POLL_S: Final = 0.1
#: Without records, how far the projection is is written so often; the lease lives on it too.
_HEARTBEAT_MS: Final = 1_000
#: Between two attempts, of a projection that stands by and of one whose database is away.
_STANDBY_S: Final = 1.0
_PAUSE_S: Final = 2.0
#: How often a topic that is not there yet is looked for.
_LOOK_FOR_TOPICS_MS: Final = 30_000

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Source:
    """What is projected: the cluster, and the topics there; that of the deliveries need not exist."""

    bootstrap_servers: str
    kafka: dict[str, str] = field(repr=False)
    group: str
    journal: str
    deliveries: str
    rules: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a projection is. `records` were written since it started; None: not known yet."""

    records: int
    next_offsets: int
    ends: int | None
    is_level: bool

    @property
    def left(self) -> int | None:
        """Records still to be read, marks of transactions among them."""
        return None if self.ends is None else max(self.ends - self.next_offsets, 0)


class Projection:
    """Projects into the current tables, or those of a rebuild. `run` returns when it is told to stop."""

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
        """`hours_days` is how long usage by the hour is kept; `on_progress` is told how far it is and must be quick."""
        self._engine, self._source, self._batch_records, self._rebuilt = engine, source, batch_records, rebuilt
        self._on_progress = on_progress
        self._owner = f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid4().hex[:12]}"
        self._records, self._hours_days = 0, hours_days
        #: Where a gap was met last.
        self._gap: tuple[int, int] | None = None

    def run(self, stop: threading.Event) -> None:
        """Projects until `stop` is set.

        Raises:
            ConfigurationError: the topic was made anew, the cluster refuses: what a person has to mend.
            Gap: the journal lacks events, and nobody has accepted that.
            InvariantViolated: the journal cannot be read or does not follow itself.
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
                    log.warning("read side: %s; looking whether somebody has accepted that", gap)
                except RestoreStopped:
                    return
                except Overtaken as overtaken:
                    log.info("read side: %s; reading the offsets anew", overtaken)
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
        """Projects until something is to be begun anew."""
        generation = self._rebuilt or current_generation(self._engine)
        current = None if self._rebuilt else generation
        writer = Writer(self._engine, TABLES[generation], self._owner, current)
        writer.write(Batch(), _now())  # whoever only stands by opens no connections
        topics = {self._source.journal, self._source.deliveries} & questions.existing_topics(admin)
        ids = questions.topic_ids(admin, {self._source.journal, *topics})
        positions = self._positions(writer, ids)
        writer.gaps_below = self._accepted_losses(admin, ids[self._source.journal], stop)
        follower = Follower(clients.make_consumer(self._reader_config()))
        asker = WatermarkAsker(lambda: _ends(admin, positions))
        try:
            follower.follow(self._begin(admin, positions))
            pruner = HourPruner(self._engine, TABLES[generation], self._hours_days)
            self._pump(follower, writer, asker, positions, pruner, stop, looks_on=len(topics) == 1)
        finally:
            asker.close()
            follower.close()
            writer.release(_now())

    def _pump(
        self,
        follower: Follower,
        writer: Writer,
        asker: WatermarkAsker,
        positions: dict[Place, Position],
        pruner: HourPruner,
        stop: threading.Event,
        *,
        looks_on: bool,
    ) -> None:
        begun = told = _now()
        while not stop.is_set():
            chunk = follower.read(self._batch_records, _POLL_S)
            now = _now()
            is_due = now - told >= _HEARTBEAT_MS
            if not chunk.positions and not is_due:
                continue
            batch = self._batch(chunk, asker, positions, positions if is_due else chunk.positions)
            writer.write(batch, now)
            self._records += len(batch.events)
            for advance in batch.advances:
                known = advance.position
                positions[known.topic, known.partition] = Position(
                    known.topic, known.partition, known.topic_id, advance.next_offset
                )
            told = now if is_due else told
            self._tell(asker, positions)
            if not chunk.records:
                pruner.step(now)
            if looks_on and now - begun > _LOOK_FOR_TOPICS_MS:
                return

    def _accepted_losses(self, admin: Any, journal_id: str, stop: threading.Event) -> dict[int, int]:
        """By partition: the offset of the journal below which somebody has accepted that events are lost."""
        source, found = self._source, dict[int, int]()
        with closing(clients.make_consumer(self._reader_config())) as reader:
            for rescue in read_rescues(reader, admin, source.rules, stop):
                if isinstance(rescue, LossAccepted):
                    found[rescue.partition] = rescue.reaches_to(source.journal, journal_id)
        return found

    def _batch(
        self, chunk: Chunk, asker: WatermarkAsker, positions: dict[Place, Position], told: Iterable[Place]
    ) -> Batch:
        batch, event_at = Batch(), dict[Place, int]()
        for record in chunk.records:
            topic, partition, offset = record.topic() or "", record.partition() or 0, record.offset() or 0
            if topic == self._source.journal:
                event = read_event(record.value(), partition, offset)
                batch.events.append((partition, offset, event))
                event_at[topic, partition] = event.at
            else:
                batch.deliveries.append((offset, read_delivery(record.value(), partition, offset)))
        latest = asker.latest()
        for place in told:
            position = positions[place]
            next_offset = max(chunk.positions.get(place, 0), position.next_offset)
            end = latest.ends.get(place)
            is_level = end is not None and next_offset >= end
            batch.advances.append(
                Advance(
                    position=position,
                    next_offset=next_offset,
                    high_watermark=max(next_offset, end or 0),
                    event_at=event_at.get(place),
                    level_at=latest.asked_at if is_level else None,
                )
            )
        return batch

    def _tell(self, asker: WatermarkAsker, positions: dict[Place, Position]) -> None:
        ends = asker.latest().ends
        read = {place: position.next_offset for place, position in positions.items()}
        is_level = bool(ends) and all(read[place] >= end for place, end in ends.items())
        self._on_progress(Progress(self._records, sum(read.values()), sum(ends.values()) if ends else None, is_level))

    def _positions(self, writer: Writer, ids: dict[str, str]) -> dict[Place, Position]:
        found: dict[Place, Position] = {}
        for topic, topic_id in ids.items():
            for position in writer.positions(topic, topic_id, range(self._source.partitions), _now()):
                if position.topic_id != topic_id:
                    raise ConfigurationError(
                        f"the topic {topic} was deleted and made anew since it was projected; "
                        "botmeter project --rebuild projects the new one from its beginning"
                    )
                found[topic, position.partition] = position
        return found

    def _begin(self, admin: Any, positions: dict[Place, Position]) -> dict[Place, int]:
        """Where to read on. Deliveries may be gone by age; the journal never is, which the follower would notice."""
        offsets = {place: position.next_offset for place, position in positions.items()}
        old = [partition for topic, partition in positions if topic == self._source.deliveries]
        for partition, offset in questions.begin_offsets(admin, self._source.deliveries, old).items():
            place = self._source.deliveries, partition
            offsets[place] = max(offsets[place], offset)
        return offsets

    def _reader_config(self) -> dict[str, Any]:
        source = self._source
        config = clients.reader_config(source.kafka, source.bootstrap_servers, source.group)
        return {**config, "client.id": "botmeter-readside"}


def _ends(admin: Any, positions: dict[Place, Position]) -> dict[Place, int]:
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
