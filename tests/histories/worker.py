"""A worker's process, as `host/` drives the engine, without Faust; it is started again whenever it ended."""

from __future__ import annotations

from pathlib import Path

from botmeter import bootstrap
from botmeter.engine.processor import RECOVERABLE
from botmeter.errors import BotmeterError, InvariantViolated
from botmeter.settings.model import Settings
from memory_kafka.world import Process

from .scheduler import Scheduler

#: The process is there again after at most this long.
RESTART_MAX_MS = 8_000
TRANSACTION_TIMEOUT_MS = 3_000
SESSION_TIMEOUT_MS = 3_000


def settings_of(name: str, partitions: int) -> Settings:
    return Settings(
        instance=name,
        data_dir=Path("simulated") / name,
        partitions=partitions,
        complimentary_sessions=4,
        pack_sessions=5,
        batch_records=50,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        snapshot_interval_s=2,
        broker_timeout_s=60,
        kafka={"session.timeout.ms": str(SESSION_TIMEOUT_MS)},
    )


class Worker:
    """One of a group, through all the lives of its process."""

    def __init__(self, scheduler: Scheduler, settings: Settings, skew_ms: int) -> None:
        self._scheduler, self._settings, self._skew_ms = scheduler, settings, skew_ms
        self.process = Process(settings.instance, skew_ms)
        self.process.is_dead = True
        self._is_wanted = True
        self._is_stopping = False
        self.lives = 0
        #: What its lives ended with on their own.
        self.errors: list[BotmeterError] = []

    @property
    def is_up(self) -> bool:
        return not self.process.is_dead

    def start(self) -> None:
        """Unless it runs already, or nobody wants it any more."""
        if self.is_up or not self._is_wanted:
            return
        self.lives += 1
        self._is_stopping = False
        self.process = Process(self._settings.instance, self._skew_ms)
        self._scheduler.spawn(self.process, "main", self._live)

    def start_again(self) -> None:
        """Some time after it ended."""
        self._scheduler.after(self._scheduler.dice.randint(0, RESTART_MAX_MS), self.start)

    def stop(self, *, for_good: bool = False) -> None:
        """In good order."""
        self._is_stopping, self._is_wanted = True, self._is_wanted and not for_good

    def _live(self) -> None:
        try:
            self._work()
        except InvariantViolated:
            raise
        except BotmeterError as error:  # told as one line; whoever runs it starts it again
            self.errors.append(error)
            if self._scheduler.tell:
                self._scheduler.tell(f"{self.process.name} ended: {error!r}")
        self.process.is_dead = True
        self.start_again()

    def _work(self) -> None:
        processor = bootstrap.make_processor(self._settings, _silent)
        commit = None
        processor.open()
        while not self._is_stopping:
            batch = processor.take()
            self._scheduler.passes(self.process, "decided")
            try:
                if commit is not None:
                    commit.result()
            except RECOVERABLE as error:
                commit = None
                if self._scheduler.tell:
                    self._scheduler.tell(f"{self.process.name} recovers from {error!r}")
                processor.recover(error)
                continue
            commit = processor.submit(batch)
        try:
            if commit is not None:
                commit.result()
        except RECOVERABLE:
            pass
        processor.close()


def _silent(_: str) -> None:
    """Nobody reads what a worker says while it waits for its broker."""
