"""What a worker takes for threads, locks and clocks, run by the scheduler instead of the operating system."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from memory_kafka.world import FOR_EVER_MS, Awaited, Killed, Process

from .scheduler import Scheduler


def process_of(scheduler: Scheduler) -> Process:
    """The one whose thread asks."""
    process = scheduler.current
    return Process("nobody") if process is None else process


class Threads(concurrent.futures.Executor):
    """As ThreadPoolExecutor."""

    def __init__(self, scheduler: Scheduler, max_workers: int, thread_name_prefix: str = "") -> None:
        self._scheduler, self._max, self._name = scheduler, max_workers, thread_name_prefix
        self._process = process_of(scheduler)
        self._waiting: list[tuple[Awaited[Any], Callable[[], Any]]] = []
        self._running = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Awaited[Any]:
        future: Awaited[Any] = Awaited(self._scheduler, self._process)
        self._waiting.append((future, lambda: fn(*args, **kwargs)))
        if self._running < self._max:
            self._running += 1
            self._scheduler.spawn(self._process, self._name, self._work)
        return future

    def _work(self) -> None:
        while self._waiting:
            future, call = self._waiting.pop(0)
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - as ThreadPoolExecutor does
                future.set_exception(error)
            else:
                future.set_result(result)
        self._running -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - its names
        if cancel_futures:
            for future, _ in self._waiting:
                future.cancel()
        if wait:
            self._scheduler.wait_until(lambda: not self._running, FOR_EVER_MS, self._process)


class Lock:
    """As threading.Lock, used with `with`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._is_held = scheduler, False

    def __enter__(self) -> bool:
        self._scheduler.wait_until(lambda: not self._is_held, FOR_EVER_MS, process_of(self._scheduler))
        self._is_held = True
        return True

    def __exit__(self, *_: object) -> None:
        self._is_held = False


class Flag:
    """As threading.Event."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._is_set = scheduler, False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        timeout_ms = FOR_EVER_MS if timeout is None else timeout * 1000
        return self._scheduler.wait_until(self.is_set, timeout_ms, process_of(self._scheduler))


class Thread:
    """As threading.Thread."""

    def __init__(
        self,
        scheduler: Scheduler,
        target: Callable[..., object],
        args: Iterable[Any] = (),
        name: str = "",
        daemon: bool = False,  # noqa: FBT001, FBT002 - its name for it
    ) -> None:
        del daemon
        self._scheduler, self._process, self._name = scheduler, process_of(scheduler), name
        self._call: Callable[[], object] = partial(target, *args)
        self._is_alive = False

    def start(self) -> None:
        self._is_alive = True
        self._scheduler.spawn(self._process, self._name, self._work)

    def _work(self) -> None:
        try:
            self._call()
        finally:
            self._is_alive = False

    def is_alive(self) -> bool:
        return self._is_alive

    def join(self, timeout: float | None = None) -> None:
        timeout_ms = FOR_EVER_MS if timeout is None else timeout * 1000
        self._scheduler.wait_until(lambda: not self._is_alive, timeout_ms, self._process)


def wait(
    scheduler: Scheduler,
    futures: Iterable[concurrent.futures.Future[Any]],
    timeout: float | None = None,
    return_when: str = concurrent.futures.ALL_COMPLETED,
) -> None:
    """As concurrent.futures.wait; nobody looks at what it returns."""
    waited = list(futures)
    enough = any if return_when == concurrent.futures.FIRST_COMPLETED else all
    timeout_ms = FOR_EVER_MS if timeout is None else timeout * 1000
    scheduler.wait_until(
        lambda: not waited or enough(future.done() for future in waited), timeout_ms, process_of(scheduler)
    )


class Time:
    """As the module `time`: each process has the broker's clock and its own error."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def monotonic(self) -> float:
        return self._scheduler.now_ms / 1000

    def time(self) -> float:
        return self.time_ns() / 1_000_000_000

    def time_ns(self) -> int:
        return (self._scheduler.now_ms + process_of(self._scheduler).skew_ms) * 1_000_000

    def sleep(self, seconds: float) -> None:
        self._scheduler.wait_until(lambda: False, seconds * 1000, process_of(self._scheduler))
