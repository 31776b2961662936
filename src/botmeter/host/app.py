"""The Faust app. One Faust event is one turn, a whole micro-batch.

Faust gives lifecycle, agent, services and web, and costs some tens of microseconds a turn; the records themselves stay
with librdkafka and the engine.

    feed (service)           meter (agent)          consume thread             commit thread
    a turn is due  --turn--> take           ------> consume, decide, again
                                                    while a commit is under way
                             wait for the previous commit
                             submit         --------------------batch--------> one Kafka transaction, then the stores
    the next       <--done--

Consuming and deciding share one thread, so that they do not contend for the interpreter. The commit overlaps with them,
because it spends its time waiting for the broker. The event loop stays free for health and metrics.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import faust
from faust.app.base import BootStrategy
from faust.web import Request, Response, View

from botmeter.contracts.topics import Topics
from botmeter.engine.batch import Commit
from botmeter.engine.processor import RECOVERABLE, Processor
from botmeter.errors import BotmeterError, ConfigurationError
from botmeter.host.dead_letter_log import DeadLetterLog
from botmeter.host.health import Answer, Health
from botmeter.host.metrics import Metrics
from botmeter.host.process_spans import ProcessSpans

T = TypeVar("T")
log = logging.getLogger(__name__)

#: A stop takes at most ten seconds: this long for the current turn and commit, and as long again to leave the group.
STOP_BUDGET_S: Final = 4.5


class NotClosed(Exception):  # noqa: N818 - named by the state that the caller must handle
    """Closing took longer than STOP_BUDGET_S, or failed: threads still run, and would keep the process alive.

    Recovery: end the process at once; the next start processes what was not committed.
    """

    def __init__(self, message: str, reason: BaseException | None) -> None:
        super().__init__(message)
        #: The error that ended the work, else the error of closing; None when only the time ran out.
        self.reason = reason


class _WithoutKafka(BootStrategy):
    """The engine has its own consumer and producer; Faust's are not started."""

    enable_kafka = False
    enable_sensors = False


class _App(faust.App):
    BootStrategy = _WithoutKafka
    logger = logging.getLogger("faust")  # Faust's lifecycle lines are not part of botmeter's log


@dataclass(frozen=True, slots=True)
class _Turn:
    """One micro-batch on its way to the agent."""

    is_done: asyncio.Future[None]


class Host:
    """Runs a processor inside a Faust app until it is stopped or something fails."""

    def __init__(
        self,
        processor: Processor,
        metrics: Metrics,
        data_dir: Path,
        web_port: int,
        commit_limit_s: float,
        turn_limit_s: float,
        topics: Topics,
        spans: ProcessSpans | None = None,
    ) -> None:
        """`commit_limit_s`: each call of a commit has a limit, so a commit that takes longer hangs in the client.

        `turn_limit_s`: a worker that completes no turn for longer makes no progress, and is not healthy.
        """
        self._processor = processor
        self._metrics = metrics
        self._letters = DeadLetterLog(topics)
        self._spans = spans
        self._web_port = web_port
        self._commit_limit_s = commit_limit_s
        self._turn_limit_s = turn_limit_s
        self._turned_at = time.monotonic()
        # consume, rebalance callbacks, recovery: always this one thread
        self._consumer_thread = ThreadPoolExecutor(1, thread_name_prefix="consume")
        self._commit: asyncio.Future[Commit] | None = None
        self._app = _App(
            "botmeter",
            broker="kafka://unused",
            store="memory://",
            datadir=data_dir / "faust",
            autodiscover=False,
            web_enabled=True,
            web_bind="0.0.0.0",  # noqa: S104 - health and metrics are read from outside the container
            web_port=web_port,
        )
        self._turns = self._app.channel(maxsize=1)
        self._app.agent(self._turns, name="meter")(self._meter)
        self._serve()

    async def run(self, stop: asyncio.Event) -> None:
        """Meters until `stop` is set. Raises the error that ends it; ConfigurationError when the web port is taken.

        After `stop`, it commits what was decided, leaves the group and closes the stores, each within STOP_BUDGET_S.
        Raises NotClosed when that takes longer, such as when the broker does not answer, and when closing fails.
        """
        stopping = asyncio.ensure_future(stop.wait())
        working = asyncio.ensure_future(self._work(stop))
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        ended, _ = await asyncio.wait({working}, timeout=STOP_BUDGET_S)  # returns at once if the work has ended
        if not ended:
            working.cancel()
        closing = asyncio.ensure_future(self._stop())
        await asyncio.wait({working, closing}, timeout=STOP_BUDGET_S)
        failed = _error(closing)
        if not ended or not closing.done() or failed:
            message = f"could not close: {failed!r}" if failed else "could not stop in time"
            raise NotClosed(message, _error(working) or failed)
        working.result()

    async def _work(self, stop: asyncio.Event) -> None:
        # Before it joins the group: a worker that cannot stay would only cause a rebalance.
        await self._start_app()
        await self._in_consumer_thread(self._processor.open)
        await self._feed(stop)

    async def _start_app(self) -> None:
        try:
            await self._app.start()
        except OSError as error:
            if error.filename is not None:  # Faust creates directories of its own
                raise ConfigurationError(f"cannot use {error.filename} (BOTMETER_DATA_DIR): {error.strerror}") from None
            raise ConfigurationError(
                f"cannot serve health and metrics at port {self._web_port} (BOTMETER_WEB_PORT): {error.strerror}"
            ) from None
        self._app.flow_control.resume()  # Faust's own Kafka consumer, which is not started, would open its channels
        log.info("health and metrics at http://localhost:%d/health and /metrics", self._web_port)

    async def _stop(self) -> None:
        await self._in_consumer_thread(self._processor.close)
        await self._app.stop()
        self._consumer_thread.shutdown()
        log.info("stopped")

    async def _feed(self, stop: asyncio.Event) -> None:
        """Sends one turn to the agent, waits until it is done, then sends the next."""
        while not stop.is_set():
            turn = _Turn(asyncio.get_running_loop().create_future())
            await self._turns.send(value=turn)
            await turn.is_done
            self._turned_at = time.monotonic()
        await self._end_last_commit()

    async def _end_last_commit(self) -> None:
        """Waits for the last commit. If it fails, such as in a rebalance, the next owner processes the batch again."""
        if self._commit is None:
            return
        try:
            self._report(await self._commit)
        except RECOVERABLE as error:
            log.warning("the last batch was not committed; the next owner of its partitions processes it: %s", error)

    async def _meter(self, turns: faust.StreamT[_Turn]) -> None:
        """The stateful agent: decides the micro-batch of each turn and submits it to the commit."""
        async for turn in turns:
            try:
                await self._take_turn()
            except BaseException as error:  # noqa: BLE001 - Faust would log it and go on; the feed raises it
                turn.is_done.set_exception(error)
            else:
                turn.is_done.set_result(None)

    async def _take_turn(self) -> None:
        batch = await self._in_consumer_thread(self._processor.take)
        if self._commit is not None:
            try:
                self._report(await asyncio.wait_for(asyncio.shield(self._commit), self._commit_limit_s))
            except TimeoutError:
                raise BotmeterError(f"a commit has not come back for {self._commit_limit_s:.0f} s") from None
            except RECOVERABLE as error:
                self._commit = None
                await self._recover(error)
                return  # the batch just decided builds on one that was not committed
        self._commit = asyncio.wrap_future(self._processor.submit(batch))

    def _report(self, commit: Commit) -> None:
        """Reports a commit that came back to metrics, log and traces."""
        self._metrics.committed(commit)
        self._letters.add(commit.batch.parts if commit.is_transaction else ())
        self._letters.log_due()
        if self._spans is not None and commit.is_transaction:
            self._spans.export(commit)

    async def _recover(self, error: BotmeterError) -> None:
        self._metrics.failed_commits += 1
        await self._in_consumer_thread(lambda: self._processor.recover(error))

    async def _in_consumer_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._consumer_thread, call)

    def _serve(self) -> None:
        """Registers the pages of health and metrics. Faust accepts only functions, not methods."""

        def page(answer: Callable[[], Answer]) -> Callable[[View, Request], Awaitable[Response]]:
            async def respond(web: View, _: Request) -> Response:
                response = answer()
                return web.json(response.body, status=response.code)

            return respond

        async def metrics(web: View, _: Request) -> Response:
            # In a thread: reading the figures of a store blocks while the store is written to.
            page = await asyncio.to_thread(self._metrics.render)
            return web.bytes(page, content_type="text/plain")

        health = Health(self._processor, lambda: time.monotonic() - self._turned_at, self._turn_limit_s)
        for path, answer in {"/live": health.live, "/ready": health.ready, "/health": health.health}.items():
            self._app.page(path, name=f"botmeter{path}")(page(answer))
        self._app.page("/metrics")(metrics)


def _error(task: asyncio.Future[None]) -> BaseException | None:
    """Returns the error that the task failed with; None when it did not fail, was cancelled or is not done."""
    return task.exception() if task.done() and not task.cancelled() else None
