"""The engine of a worker, with what it takes from the machine replaced: threads, clocks, disk, and clients of Kafka.

The engine itself runs as it is, wired by `botmeter.bootstrap`. What is replaced is found by what it is, wherever a
module has imported it under whatever name; so nothing in the engine speaks of simulations.
"""

from __future__ import annotations

import concurrent.futures
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

from botmeter.engine import processor, store_rocksdb
from botmeter.kafka import clients, topic_setup
from botmeter.operations import permissions
from memory_kafka.admin import MemoryAdmin
from memory_kafka.broker import MemoryBroker
from memory_kafka.consumer import MemoryConsumer
from memory_kafka.producer import MemoryProducer

from .disk import Disk
from .scheduler import Scheduler
from .threads import Flag, Lock, Thread, Threads, Time, process_of, wait

_ROOMS: Final = ("botmeter.bootstrap", "botmeter.clock", "botmeter.engine", "botmeter.kafka", "botmeter.operations")
#: How often a worker looks whether its commit is through: in a simulation, that alone would take most of the time.
_GATHER_S: Final = 0.05


def _client(make: Callable[..., Any], scheduler: Scheduler, broker: MemoryBroker) -> Callable[[Any], Any]:
    return lambda config: make(broker, config, process_of(scheduler))


def _replacements(scheduler: Scheduler, broker: MemoryBroker, disk: Disk) -> list[tuple[Any, Any]]:
    return [
        (concurrent.futures.ThreadPoolExecutor, partial(Threads, scheduler)),
        (concurrent.futures.wait, partial(wait, scheduler)),
        (threading.Thread, partial(Thread, scheduler)),
        (threading.Event, partial(Flag, scheduler)),
        (threading.Lock, partial(Lock, scheduler)),
        (time, Time(scheduler)),
        (gc, SimpleNamespace(freeze=lambda: None)),  # the histories after this one have other states
        (store_rocksdb.RocksDbStore, disk.open),
        (store_rocksdb.wipe, disk.wipe),
        (clients.make_consumer, _client(MemoryConsumer, scheduler, broker)),
        (clients.make_producer, _client(MemoryProducer, scheduler, broker)),
        (clients.make_admin, lambda _: MemoryAdmin(broker, process_of(scheduler))),
        (topic_setup.require_topics, lambda *_: None),
        (permissions.require, lambda *_: None),  # the broker in memory has no authorizer
    ]


@contextmanager
def substituted(scheduler: Scheduler, broker: MemoryBroker, disk: Disk) -> Iterator[None]:
    """For as long as the block runs."""
    replaced: list[tuple[Any, str, Any]] = []
    by_id = {id(original): new for original, new in _replacements(scheduler, broker, disk)}
    modules = [module for name, module in sys.modules.items() if name.startswith(_ROOMS)]
    for module in modules:
        for name, value in list(vars(module).items()):
            if id(value) in by_id:
                replaced.append((module, name, value))
                setattr(module, name, by_id[id(value)])
    replaced.append((processor, "_GATHER_S", processor._GATHER_S))
    processor._GATHER_S = _GATHER_S  # type: ignore[misc]
    try:
        yield
    finally:
        for module, name, value in replaced:
            setattr(module, name, value)
