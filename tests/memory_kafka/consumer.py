"""The consumer, as librdkafka's behaves: a queue filled ahead of the reader, and callbacks served by a poll."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Self

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from .broker import MemoryBroker, ask, timed_out
from .groups import Membership
from .log import Log, MemoryMessage, Place, Refused
from .world import Process

_Callback = Callable[[Any, list[TopicPartition]], None]
#: Records in the queue of the client beyond which it fetches no more.
_QUEUED_MAX: Final = 10_000
_OFFSET_STORED: Final = -1000


class _Fetcher:
    """One assigned partition."""

    def __init__(self, log: Log, offset: int, *, is_paused: bool) -> None:
        self.log = log
        #: The next offset to fetch, and the next to hand out.
        self.offset = self.position = offset
        self.is_paused, self.is_astray = is_paused, False
        #: The end that was told last.
        self.told_end = -1


class MemoryConsumer:
    """`config` is confluent_kafka's: group, isolation, where to start, whether ends are told, the session's timeout."""

    def __init__(self, broker: MemoryBroker, config: dict[str, Any], process: Process) -> None:
        self._broker, self._world, self.process = broker, broker.world, process
        self._group = broker.group(str(config["group.id"]))
        self._group.clients[self] = None
        self._group_name = str(config["group.id"])
        self._is_committed_only = config.get("isolation.level", "read_committed") == "read_committed"
        self._tells_ends = bool(config.get("enable.partition.eof", False))
        self._start = str(config.get("auto.offset.reset", "latest"))
        self._session_ms = int(config.get("session.timeout.ms", 45_000))
        self._topics: list[str] = []
        self._callbacks: dict[str, _Callback] = {}
        self._member_id, self._generation = "", -1
        self._owned: set[Place] = set()
        #: Callbacks for the next poll: their kind and partitions.
        self._news: deque[tuple[str, set[Place]]] = deque()
        self._fetchers: dict[Place, _Fetcher] = {}
        #: Stay so, also while they are not assigned.
        self._paused: set[Place] = set()
        self._queue: deque[tuple[_Fetcher, MemoryMessage]] = deque()
        self._is_closed = False
        #: The count of the broker's changes at which there was nothing to fetch; -1 when it is to be looked again.
        self._saw_nothing_at = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- Membership ---

    def subscribe(self, topics: list[str], **callbacks: _Callback) -> None:
        self._topics, self._callbacks = topics, callbacks
        self._join()

    def memberid(self) -> str:
        return self._member_id

    def consumer_group_metadata(self) -> Membership:
        return Membership(self._group_name, self._member_id, self._generation)

    @property
    def is_beating(self) -> bool:
        return self.process.is_beating and not self._is_closed

    def hear(self) -> None:
        """On the client's own thread: notices rebalances, joins again, puts callbacks up for the next poll."""
        if not self.is_beating or not self._topics or self._news:
            return
        member = self._group.members.get(self._member_id)
        if member is None:
            self._lose()
        elif self._group.is_rebalancing:
            if not member.has_joined:
                self._group.join_again(self._member_id, set(self._owned))
        elif self._generation != self._group.generation:
            self._generation = self._group.generation
            self._take_over(member.assignment)

    def _join(self) -> None:
        self._member_id = self._group.join(self, self._topics, self._session_ms)

    def _lose(self) -> None:
        self._member_id, self._generation = "", -1
        if self._owned:
            self._news.append(("on_lost" if "on_lost" in self._callbacks else "on_revoke", set(self._owned)))
        else:
            self._join()

    def _take_over(self, assignment: set[Place]) -> None:
        revoked, added = self._owned - assignment, assignment - self._owned
        if revoked:
            self._news.append(("on_revoke", revoked))
        if added or not revoked:
            self._news.append(("on_assign", added))

    def _serve(self) -> None:
        """Calls back with what happened in the group; on the thread that polls."""
        while self._news:
            kind, places = self._news[0]
            if kind == "on_assign":
                self._owned |= places
            self._call_back(kind, places)
            if kind != "on_assign":
                self._owned -= places
            self._news.popleft()
            if self._news:
                continue
            if not self._member_id:
                self._join()
            elif kind == "on_revoke" or not set(self._owned) >= places:
                self._leave_to_others()
            self.hear()

    def _leave_to_others(self) -> None:
        if self._member_id in self._group.members:
            self._group.join_again(self._member_id, set(self._owned))

    def _call_back(self, kind: str, places: set[Place]) -> None:
        partitions = [TopicPartition(*place) for place in sorted(places)]
        callback = self._callbacks.get(kind)
        self._world.passes(self.process, kind)
        if callback is not None:
            callback(self, partitions)
        elif kind == "on_assign":
            self.incremental_assign(partitions)
        else:
            self.incremental_unassign(partitions)

    @property
    def _reads(self) -> str:
        return "poll" if self._topics else "read"

    def close(self) -> None:
        if self._is_closed:
            return
        self.process.require_alive()
        if self._topics and self._owned:
            kind = "on_revoke" if self._member_id in self._group.members else "on_lost"
            self._call_back(kind if kind in self._callbacks else "on_revoke", set(self._owned))
        self._is_closed = True
        self._group.clients.pop(self, None)
        self._group.leave(self._member_id)
        self._fetchers.clear()
        self._queue.clear()

    # --- Assignment ---

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.unassign()
        self.incremental_assign(partitions)

    def unassign(self) -> None:
        self._saw_nothing_at = -1
        self._fetchers.clear()
        self._queue.clear()

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.process.require_alive()
        self._saw_nothing_at = -1
        for partition in partitions:
            log = self._broker.log((partition.topic, partition.partition))
            first, is_paused = self._first(log, partition.offset), log.place in self._paused
            self._fetchers[log.place] = _Fetcher(log, first, is_paused=is_paused)

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        self.process.require_alive()
        for partition in partitions:
            place = (partition.topic, partition.partition)
            if place not in self._fetchers and place not in self._owned:
                raise KafkaException(KafkaError(KafkaError._INVALID_ARG, f"{place} is not assigned"))
            self._drop(self._fetchers.pop(place, None))

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in sorted(self._fetchers)]

    def seek(self, partition: TopicPartition) -> None:
        self._saw_nothing_at = -1
        fetcher = self._fetchers[partition.topic, partition.partition]
        self._drop(fetcher)
        fetcher.offset = fetcher.position = self._first(fetcher.log, partition.offset)
        fetcher.told_end = -1

    def pause(self, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            fetcher = self._fetchers[partition.topic, partition.partition]
            self._drop(fetcher)
            fetcher.offset, fetcher.is_paused = fetcher.position, True
            self._paused.add(fetcher.log.place)

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._saw_nothing_at = -1
        for partition in partitions:
            self._fetchers[partition.topic, partition.partition].is_paused = False
            self._paused.discard((partition.topic, partition.partition))

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(p.topic, p.partition, self._fetchers[p.topic, p.partition].position) for p in partitions]

    def _first(self, log: Log, offset: int) -> int:
        if offset >= 0:
            return offset
        if offset in (_OFFSET_STORED, OFFSET_INVALID) and log.place in self._group.offsets:
            return self._group.offsets[log.place]
        if offset == OFFSET_BEGINNING or (offset != OFFSET_END and self._start == "earliest"):
            return log.begin
        return log.limit(self._is_committed_only)

    def _drop(self, fetcher: _Fetcher | None) -> None:
        """What is queued of it is not handed out."""
        if self._queue:
            self._queue = deque(item for item in self._queue if item[0] is not fetcher)

    # --- Reading ---

    def poll(self, timeout: float = -1) -> MemoryMessage | None:
        found = self._wait(timeout * 1000 if timeout >= 0 else 60_000)
        self._world.passes(self.process, self._reads)
        return found

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[MemoryMessage]:
        deadline = self._world.now_ms + (timeout * 1000 if timeout >= 0 else 60_000)
        found: list[MemoryMessage] = []
        while len(found) < num_messages:
            message = self._wait(max(0.0, deadline - self._world.now_ms))
            if message is not None:
                found.append(message)
            elif self._world.now_ms >= deadline:
                break
        self._world.passes(self.process, self._reads)
        return found

    def _wait(self, timeout_ms: float) -> MemoryMessage | None:
        self.process.require_alive()
        self._serve()
        if not self._queue:
            if timeout_ms or not self._has_something():
                self._world.wait_until(self._has_something, timeout_ms, self.process)
            self._serve()
            self._fetch()
        if not self._queue:
            return None
        fetcher, message = self._queue.popleft()
        fetcher.position = message.offset() + (message.error() is None)
        return message

    def _has_something(self) -> bool:
        if self._queue or self._news:
            return True
        if self._saw_nothing_at == self._broker.changes.count:
            return False
        if any(map(self._is_fetchable, self._fetchers.values())):
            return True
        if not any(self._world.is_slow(self.process, *place) for place in self._fetchers):
            self._saw_nothing_at = self._broker.changes.count
        return False

    def _is_fetchable(self, fetcher: _Fetcher) -> bool:
        if fetcher.is_paused or fetcher.is_astray or len(self._queue) >= _QUEUED_MAX:
            return False
        if self._world.is_slow(self.process, *fetcher.log.place):
            return False
        limit = fetcher.log.limit(self._is_committed_only)
        return limit > fetcher.offset or self._is_end_new(fetcher) or fetcher.offset > fetcher.log.high_watermark

    def _is_end_new(self, fetcher: _Fetcher) -> bool:
        return self._tells_ends and fetcher.told_end != fetcher.offset

    def _fetch(self) -> None:
        for fetcher in self._fetchers.values():
            if self._is_fetchable(fetcher) and self._world.fetches(self.process, *fetcher.log.place):
                self._fetch_from(fetcher)

    def _fetch_from(self, fetcher: _Fetcher) -> None:
        log, start = fetcher.log, fetcher.offset
        if not log.begin <= start <= log.high_watermark:
            fetcher.is_astray = True
            error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "Broker: Offset out of range")
            self._queue.append((fetcher, MemoryMessage(log.place, start, error=error)))
            return
        read = log.read if self._is_committed_only else log.read_all
        found, fetcher.offset = read(start, log.limit(self._is_committed_only), self._world.fetch_max())
        self._queue.extend((fetcher, message) for message in found)
        if not found and self._is_end_new(fetcher) and fetcher.offset >= log.limit(self._is_committed_only):
            fetcher.told_end = fetcher.offset
            error = KafkaError(KafkaError._PARTITION_EOF)
            self._queue.append((fetcher, MemoryMessage(log.place, fetcher.offset, error=error)))

    # --- Questions ---

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        places = [(each.topic, each.partition) for each in partitions]
        timeout_ms = timeout * 1000 if timeout >= 0 else 60_000

        def fetch() -> list[TopicPartition]:
            return [
                TopicPartition(
                    *place, self._group.offsets.get(place, OFFSET_INVALID), metadata=self._group.texts.get(place, "")
                )
                for place in places
            ]

        def is_stable() -> bool:
            return not self._is_committed_only or self._group.is_stable(places)

        if not self._world.wait_until(is_stable, timeout_ms, self.process):
            raise timed_out("committed offsets")
        return ask(self._world, self.process, "committed offsets", fetch, timeout_ms)

    def commit(self, offsets: Iterable[TopicPartition], asynchronous: bool = True) -> None:  # noqa: FBT001, FBT002
        del asynchronous
        told = {(each.topic, each.partition): each for each in offsets}
        texts = {place: each.metadata for place, each in told.items() if each.metadata}
        try:
            self._group.commit(self.consumer_group_metadata(), {place: told[place].offset for place in told}, texts)
        except Refused as refused:
            raise KafkaException(KafkaError(refused.code)) from refused

    def get_watermark_offsets(
        self,
        partition: TopicPartition,
        timeout: float = -1,
        cached: bool = False,  # noqa: FBT001, FBT002 - its name for it
    ) -> tuple[int, int]:
        log = self._broker.log((partition.topic, partition.partition))
        if cached:
            return log.begin, log.high_watermark
        timeout_ms = timeout * 1000 if timeout >= 0 else 60_000
        return ask(
            self._world,
            self.process,
            "watermarks",
            lambda: (log.begin, log.limit(self._is_committed_only)),
            timeout_ms,
        )

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        del topic, timeout
        self.process.require_alive()
