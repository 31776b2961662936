"""`botmeter` that is killed at a named point of its work: DIES_AT says at which, PASSING at the how manieth passing.

The points are those of the simulated histories, `CRASH_POINTS` in tests/histories/plan.py. Nothing else differs from
the program: its clients, its store and its turns tell before and after each of their steps where they are.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from botmeter import cli
from botmeter.engine import restore
from botmeter.engine.batch import Batch
from botmeter.engine.processor import Processor
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.kafka import clients
from botmeter.kafka.clients import _PolledAdmin
from botmeter.metering.store import StoreUpdate

_lock = threading.Lock()
_passings = 0


def passes(point: str) -> None:
    """Ends this process, as a power cut would, when this is where it is to die."""
    global _passings  # noqa: PLW0603 - one process, one death
    if point != os.environ["DIES_AT"]:
        return
    with _lock:
        _passings += 1
        if _passings == int(os.environ["PASSING"]):
            os.write(2, f"dies: {point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


class MortalConsumer(Consumer):
    """One that subscribes is the worker's own, the others restore."""

    _reads = "read"

    def subscribe(self, topics: list[str], **callbacks: Any) -> None:  # type: ignore[override]
        self._reads = "poll"
        super().subscribe(topics, **{kind: _noted(kind, callback) for kind, callback in callbacks.items()})

    def poll(self, timeout: float = -1) -> Any:
        found = super().poll(timeout)
        passes(self._reads)
        return found

    def consume(self, num_messages: int = 1, timeout: float = -1) -> Any:
        found = super().consume(num_messages, timeout)
        passes(self._reads)
        return found

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> Any:
        passes("before committed offsets")
        return super().committed(partitions, timeout)


def _noted(kind: str, callback: Callable[..., None]) -> Callable[..., None]:
    def called(*told: Any) -> None:
        passes(kind)
        callback(*told)

    return called


class MortalProducer(Producer):
    """Its records are on their way from `produce` on; `flush` returns when the brokers have them."""

    def init_transactions(self, *args: Any) -> None:
        super().init_transactions(*args)
        passes("after init")

    def produce(self, *args: Any, **kwargs: Any) -> None:
        passes("before produce")
        super().produce(*args, **kwargs)

    def flush(self, *args: Any) -> int:
        left = super().flush(*args)
        passes("after produce")
        return left

    def send_offsets_to_transaction(self, *args: Any) -> None:
        passes("before send offsets")
        super().send_offsets_to_transaction(*args)
        passes("after send offsets")

    def commit_transaction(self, *args: Any) -> None:
        passes("before commit")
        super().commit_transaction(*args)
        passes("after commit")

    def abort_transaction(self, *args: Any) -> None:
        passes("before abort")
        super().abort_transaction(*args)


class MortalAdmin(_PolledAdmin):
    def list_offsets(self, *args: Any, **kwargs: Any) -> Any:
        passes("before question")
        return super().list_offsets(*args, **kwargs)


class MortalStore(RocksDbStore):
    def __init__(self, path: Any) -> None:
        passes("open store")
        super().__init__(path)

    def write(self, update: StoreUpdate) -> None:
        is_restore = threading.current_thread().name.startswith("restore")
        passes("restore writes" if is_restore else "before store")
        super().write(update)
        if not is_restore:
            passes("after store")


take = Processor.take


def take_and_tell(processor: Processor) -> Batch:
    batch = take(processor)
    passes("decided")
    return batch


if __name__ == "__main__":
    vars(clients).update(Consumer=MortalConsumer, Producer=MortalProducer, _PolledAdmin=MortalAdmin)
    vars(restore).update(RocksDbStore=MortalStore)
    type.__setattr__(Processor, "take", take_and_tell)
    cli.main()
