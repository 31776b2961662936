"""The transactional and the simple producer, as librdkafka's behaves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from botmeter.contracts.topics import partition_of

from .broker import ConnectionLost, MemoryBroker, ask, timed_out
from .groups import Membership
from .log import Header, MemoryMessage, Place, Refused
from .world import Process

_OnDelivery = Callable[[KafkaError | None, Any], None] | None
#: Between two attempts of what the coordinator is not ready for.
_RETRY_MS: Final = 20
_FENCED: Final = (KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)
_OF_THE_GROUP: Final = (KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID)


@dataclass(eq=False)
class _Waiting:
    place: Place
    key: bytes | None
    value: bytes | None
    headers: list[Header] | None
    at_ms: int
    on_delivery: _OnDelivery
    #: Once the broker has it: sent again, it is known by its sequence number and not appended a second time.
    offset: int | None = None


class MemoryProducer:
    """`config` is confluent_kafka's; what matters here is the transactional id and its timeout."""

    def __init__(self, broker: MemoryBroker, config: dict[str, Any], process: Process) -> None:
        self._broker, self._world, self._process = broker, broker.world, process
        self._name: str | None = config.get("transactional.id")
        self._logger = config.get("logger", logging.getLogger())
        self._unsaid: list[str] = []
        self._timeout_ms = int(config.get("transaction.timeout.ms", 60_000))
        self._producer: tuple[int, int] | None = None
        self._queue: list[_Waiting] = []
        self._reports: list[tuple[_OnDelivery, KafkaError | None, MemoryMessage]] = []
        self._is_open = False
        self._is_at_coordinator = False
        self._abortable: KafkaError | None = None
        self._fatal: KafkaError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._queue)

    # --- Records ---

    def produce(
        self,
        topic: str,
        value: bytes | str | None = None,
        key: bytes | str | None = None,
        partition: int = -1,
        headers: Any = None,
        timestamp: int = 0,
        on_delivery: _OnDelivery = None,
    ) -> None:
        self._process.require_alive()
        self._require_sound()
        if self._name is not None and not self._is_open:
            raise _state("there is no transaction")
        key, value = _bytes(key), _bytes(value)
        number = partition if partition >= 0 else partition_of(key or b"", self._broker.partitions_of(topic))
        at_ms = timestamp or self._world.now_ms + self._process.skew_ms
        pairs: list[Header] = [(name, _bytes(said)) for name, said in headers or ()]
        self._queue.append(_Waiting((topic, number), key, value, pairs or None, at_ms, on_delivery))

    def poll(self, timeout: float = 0) -> int:
        self._world.passes(self._process, "poll of the producer")
        self._send(timeout * 1000)
        return self._serve()

    def flush(self, timeout: float = -1) -> int:
        self._send(timeout * 1000 if timeout >= 0 else 60_000)
        self._serve()
        return len(self._queue)

    def purge(self, *_: object, **__: object) -> None:
        self._queue.clear()

    def close(self) -> None:
        """Ends a transaction that is open, as librdkafka does; a dead process does nothing."""
        if self._process.is_dead or self._name is None or self._producer is None or self._fatal:
            return
        if self._is_open and self._is_at_coordinator:
            try:
                self._broker.transactions.end(self._name, self._producer, is_commit=False)
            except Refused:
                return

    # --- Transactions ---

    def init_transactions(self, timeout: float = -1) -> None:
        def init() -> tuple[int, int]:
            return self._broker.transactions.init_producer(str(self._name), self._timeout_ms)

        self._producer = self._patiently("init", init, timeout)

    def begin_transaction(self) -> None:
        self._world.passes(self._process, "begin")
        self._require_sound()
        if self._producer is None or self._is_open:
            raise _state("cannot begin a transaction now")
        self._is_open, self._is_at_coordinator = True, False

    def send_offsets_to_transaction(
        self, offsets: Sequence[TopicPartition], metadata: Any, timeout: float = -1
    ) -> None:
        self._require_in_transaction()
        membership: Membership = metadata
        told = {(offset.topic, offset.partition): offset.offset for offset in offsets}
        if not told:  # librdkafka asks nobody then
            return

        def send() -> None:
            name, producer, transactions = str(self._name), self._known(), self._broker.transactions
            transactions.add(name, producer, (), [membership.group])
            self._is_at_coordinator = True
            transactions.commit_offsets(name, producer, membership.group, membership, told)

        self._patiently("send offsets", send, timeout)

    def commit_transaction(self, timeout: float = -1) -> None:
        self._require_in_transaction()
        self._send(timeout * 1000 if timeout >= 0 else 60_000)
        self._serve()
        self._require_in_transaction()
        if self._queue:
            raise timed_out("commit")
        self._end("commit", timeout, is_commit=True)

    def abort_transaction(self, timeout: float = -1) -> None:
        self._process.require_alive()
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        if not self._is_open:
            raise _state("there is no transaction")
        self._report_purged()
        self._end("abort", timeout, is_commit=False)
        self._abortable = None

    def _end(self, request: str, timeout: float, *, is_commit: bool) -> None:
        if self._is_at_coordinator:

            def end() -> None:
                self._broker.transactions.end(str(self._name), self._known(), is_commit)

            try:
                self._patiently(request, end, timeout)
            except KafkaException as exception:
                if exception.args[0].code() == KafkaError._TIMED_OUT:
                    raise
                self._fatal = KafkaError(exception.args[0].code(), exception.args[0].str(), fatal=True)
                raise KafkaException(self._fatal) from exception
        self._is_open = False

    # --- Sending ---

    def _send(self, timeout_ms: float) -> None:
        """Sends what waits, partition by partition; what is not acknowledged in time goes on waiting."""
        deadline = self._world.now_ms + timeout_ms
        while self._queue and self._abortable is None and self._fatal is None:
            place = self._queue[0].place
            batch = [waiting for waiting in self._queue if waiting.place == place]
            try:
                ask(self._world, self._process, "produce", partial(self._write, place, batch), max(0.0, timeout_ms))
            except Refused as refused:
                if refused.code == KafkaError.CONCURRENT_TRANSACTIONS and self._world.now_ms < deadline:
                    self._world.wait_until(lambda: False, _RETRY_MS, self._process)
                    continue
                self._refuse(refused)
            except KafkaException:
                return
            for waiting in batch:
                self._report_delivery(waiting)
            self._queue = [waiting for waiting in self._queue if waiting.place != place]

    def _write(self, place: Place, batch: list[_Waiting]) -> None:
        log, producer = self._broker.log(place), None
        if self._name is not None:
            producer = self._known()
            self._broker.transactions.add(self._name, producer, [place])
            self._is_at_coordinator = True
            self._broker.transactions.require_open(self._name, producer, place)
        for waiting in batch:
            if waiting.offset is None:
                now_ms = self._world.now_ms
                waiting.offset = log.append(
                    waiting.key, waiting.value, waiting.headers, waiting.at_ms, now_ms, producer
                )

    def _report_delivery(self, waiting: _Waiting) -> None:
        if waiting.on_delivery is not None and waiting.offset is not None:
            at = self._broker.log(waiting.place).timestamp_of(waiting.offset)
            message = MemoryMessage(waiting.place, waiting.offset, waiting.key, waiting.value, timestamp=at)
            self._reports.append((waiting.on_delivery, None, message))

    def _refuse(self, refused: Refused) -> None:
        if refused.code in _FENCED:
            error = self._meant_by(refused)
            self._report(error)
            self._serve()
            raise KafkaException(error) from refused
        error = KafkaError(refused.code, f"Broker: {refused}", txn_requires_abort=self._name is not None)
        if self._name is not None:
            self._abortable = error
        self._report(error)

    def _report_purged(self) -> None:
        self._report(KafkaError(KafkaError._PURGE_QUEUE))
        self._serve()

    def _report(self, error: KafkaError) -> None:
        for waiting in self._queue:
            if waiting.on_delivery is not None:
                self._reports.append((waiting.on_delivery, error, MemoryMessage(waiting.place, -1001)))
        self._queue.clear()

    def _serve(self) -> int:
        unsaid, self._unsaid = self._unsaid, []
        for said in unsaid:
            self._logger.log(logging.INFO, "%s [%s] %s", "FAIL", self._name, said)
        reports, self._reports = self._reports, []
        for on_delivery, error, message in reports:
            if on_delivery is not None:
                on_delivery(error, message)
        return len(reports)

    # --- Errors ---

    def _patiently(self, request: str, call: Callable[[], Any], timeout: float) -> Any:
        """As librdkafka: asks again while the coordinator is busy with the transaction before.

        So it does when the connection is lost, which it logs with the next poll.
        """
        timeout_ms = timeout * 1000 if timeout >= 0 else self._timeout_ms
        deadline = self._world.now_ms + timeout_ms
        while True:
            try:
                left_ms = max(0.0, deadline - self._world.now_ms)
                return ask(self._world, self._process, request, call, left_ms, self._hold)
            except ConnectionLost:
                self._unsaid.append("Disconnected (after 9ms in state UP)")
                continue
            except Refused as refused:
                if refused.code != KafkaError.CONCURRENT_TRANSACTIONS:
                    raise KafkaException(self._meant_by(refused)) from refused
                if self._world.now_ms >= deadline:
                    raise timed_out(request) from refused
            self._world.wait_until(lambda: False, _RETRY_MS, self._process)

    def _meant_by(self, refused: Refused) -> KafkaError:
        text = f"Broker: {refused}"
        if refused.code in _OF_THE_GROUP:
            self._abortable = KafkaError(refused.code, text, txn_requires_abort=True)
            return self._abortable
        code = KafkaError._FENCED if refused.code in _FENCED else refused.code
        self._fatal = KafkaError(code, text, fatal=True)
        return self._fatal

    def _hold(self, request: Callable[[], None]) -> None:
        self._broker.transactions.hold(str(self._name), request)

    def _known(self) -> tuple[int, int]:
        assert self._producer is not None
        return self._producer

    def _require_sound(self) -> None:
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        if self._abortable is not None:
            raise _state("the transaction must be aborted")

    def _require_in_transaction(self) -> None:
        self._process.require_alive()
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        if self._abortable is not None:
            raise KafkaException(self._abortable)
        if not self._is_open:
            raise _state("there is no transaction")


def _state(text: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._STATE, text))


def _bytes(text: bytes | str | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
