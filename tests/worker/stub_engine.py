"""The whole program around an engine without Kafka, which fails or hangs where a test wants it to.

    python tests/worker/stub_engine.py SCENARIO DATA_DIR

runs `botmeter worker` with it. What hangs goes on at SIGUSR1.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final

from botmeter import bootstrap, cli
from botmeter.cli import worker
from botmeter.clock import Clock
from botmeter.engine.batch import Batch, Commit
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.budget import Allowance
from botmeter.engine.failure import Failure
from botmeter.engine.lag import Lag
from botmeter.engine.processor import Processor
from botmeter.engine.task import Task
from botmeter.errors import BotmeterError, ClusterError, InvariantViolated, OutcomeUnknown
from botmeter.host.app import Host
from botmeter.host.metrics import Metrics
from botmeter.settings.model import Settings

#: So soon that a test need not wait for it: since the last turn, and since a commit was handed over.
TURN_LIMIT_S: Final = 0.5
COMMIT_LIMIT_S: Final = 0.2


class StubEngine:
    """What a host asks of a processor. Each of its calls does nothing, quickly, unless a scenario sets another."""

    def __init__(self) -> None:
        self.tasks: dict[int, Task] = {}
        self.counts: Counter[str] = Counter()
        self._go_on = threading.Event()
        self.open: Callable[[], None] = lambda: None
        self.poll: Callable[[], None] = self._idle
        self.restore_left: dict[int, int] = {}
        self.open_transactions_passed = 0
        self.lags: dict[int, Lag] = {}
        self.broker_time = BrokerTime(Clock(), skew_limit_ms=30_000)
        self.broker_time.answer(Clock().now_ms())
        self.submit: Callable[[Batch], Future[Commit]] = committed
        self.recover: Callable[[BotmeterError], None] = lambda _: None
        self.close: Callable[[], None] = lambda: None

    def take(self) -> Batch:
        self.poll()
        return Batch([], None, Allowance(0, 0))

    def _idle(self) -> None:
        self._go_on.wait(0.01)

    def hang(self) -> None:
        """Does not come back until it is told to go on."""
        self._go_on.wait()

    def go_on(self) -> None:
        self.poll, self.submit = lambda: None, committed
        self._go_on.set()


def committed(batch: Batch) -> Future[Commit]:
    """A commit that came back: there was nothing to commit."""
    future: Future[Commit] = Future()
    future.set_result(Commit(batch, is_transaction=False, took_s=0.0, ended_at=Clock().now_ms()))
    return future


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def failing(error: Exception) -> Callable[[Batch], Future[Commit]]:
    def submit(_: Batch) -> Future[Commit]:
        future: Future[Commit] = Future()
        future.set_exception(error)
        return future

    return submit


def closing_hangs(engine: StubEngine) -> None:
    engine.close = engine.hang


def topic_refused_and_closing_hangs(engine: StubEngine) -> None:
    engine.poll, engine.close = raising(ClusterError("grant READ on topic x")), engine.hang


def bug_and_closing_hangs(engine: StubEngine) -> None:
    engine.poll, engine.close = raising(InvariantViolated("two and two are five")), engine.hang


def commit_hangs(engine: StubEngine) -> None:
    """And closing waits for it."""
    engine.submit, engine.close = lambda _: Future(), engine.hang


def topic_refused_and_closing_fails(engine: StubEngine) -> None:
    engine.poll, engine.close = raising(ClusterError("grant READ on topic x")), raising(RuntimeError("disk full"))


def poll_hangs(engine: StubEngine) -> None:
    engine.poll = engine.hang


def no_new_producer(engine: StubEngine) -> None:
    engine.submit, engine.recover = failing(OutcomeUnknown("no answer")), lambda _: engine.hang()


def restoring(engine: StubEngine) -> None:
    engine.tasks[0] = Task(0)
    engine.tasks[0].restore()


def failed(engine: StubEngine) -> None:
    engine.tasks[0] = Task(0)
    engine.tasks[0].fail(Failure("the journal has a gap", "run: this"))


def idle(_: StubEngine) -> None:
    """As it is before anything happens."""


SCENARIOS: Final[Mapping[str, Callable[[StubEngine], None]]] = {
    scenario.__name__: scenario
    for scenario in (
        closing_hangs, topic_refused_and_closing_hangs, bug_and_closing_hangs, commit_hangs,
        topic_refused_and_closing_fails, poll_hangs, no_new_producer, restoring, failed, idle,
    )
}  # fmt: skip


def _main(scenario: str, data_dir: str) -> None:
    engine = StubEngine()
    SCENARIOS[scenario](engine)
    signal.signal(signal.SIGUSR1, lambda *_: engine.go_on())

    def make_host(settings: Settings, processor: Processor, _: object) -> Host:
        port = bootstrap._free_port()
        return Host(
            processor, Metrics(processor), settings.data_dir, port, COMMIT_LIMIT_S, TURN_LIMIT_S, settings.topics()
        )

    vars(worker).update(make_processor=lambda *_: engine, make_host=make_host)
    os.environ["BOTMETER_DATA_DIR"] = data_dir
    sys.argv[1:] = ["worker"]
    cli.main()


if __name__ == "__main__":
    _main(*sys.argv[1:])
