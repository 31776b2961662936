"""The Faust app. One Faust event is one turn, a whole micro-batch.

Faust gives lifecycle, agent, services and web, and costs some tens of microseconds a turn; the records themselves stay
with librdkafka and the engine.

    feed (service)                    meter (agent)                        commit thread
    poll: consume, sort in  --turn--> decide: decode, prefetch, decide
                                      wait for the commit before this
                                      hand over                 --batch--> one Kafka transaction, then the stores
    poll again              <--done--

Polling waits until the turn is decided, so that two threads never contend for the interpreter; what overlaps is the
commit, which spends its time waiting for the broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import faust
from faust.app.base import BootStrategy
from faust.web import Request, Response, View

from botmeter.engine.processor import RECOVERABLE, Processor
from botmeter.errors import BotmeterError
from botmeter.host.metrics import Metrics

log = logging.getLogger(__name__)

#: A stop takes at most ten seconds: so long for the turn and commit under way, and so long again for leaving the group.
STOP_BUDGET_S: Final = 4.5


class _WithoutKafka(BootStrategy):
    """The engine has its own consumer and producer; Faust's are not started."""

    enable_kafka = False
    enable_sensors = False


class _App(faust.App):
    BootStrategy = _WithoutKafka
    logger = logging.getLogger("faust")  # its own comings and goings are not ours


@dataclass(frozen=True, slots=True)
class _Turn:
    """One micro-batch on its way to the agent."""

    is_done: asyncio.Future[None]


class Host:
    """Runs a processor inside a Faust app until it is told to stop or something fails."""

    def __init__(
        self, processor: Processor, metrics: Metrics, data_dir: Path, web_port: int, commit_limit_s: float
    ) -> None:
        """`commit_limit_s`: a commit that takes longer, though each of its calls has a limit, hangs in the client."""
        self._processor = processor
        self._metrics = metrics
        self._web_port = web_port
        self._commit_limit_s = commit_limit_s
        # consume, rebalance callbacks, recovery: always this one thread
        self._consumer_thread = ThreadPoolExecutor(1, thread_name_prefix="consume")
        self._commit: asyncio.Future[bool] | None = None
        self._app = _App(
            "botmeter",
            broker="kafka://unused",
            store="memory://",
            datadir=data_dir / "faust",
            autodiscover=False,
            web_enabled=True,
            web_bind="0.0.0.0",  # noqa: S104 - health and metrics are asked for from outside the container
            web_port=web_port,
        )
        self._turns = self._app.channel(maxsize=1)
        self._app.agent(self._turns, name="meter")(self._meter)
        self._serve()

    async def run(self, stop: asyncio.Event) -> None:
        """Meters until `stop` is set. Raises what stopped it otherwise.

        After `stop`, what was decided is committed, the group is left and the stores are closed, each within
        STOP_BUDGET_S; TimeoutError past it, when the broker does not answer.
        """
        stopping = asyncio.ensure_future(stop.wait())
        working = asyncio.ensure_future(self._work(stop))
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        try:
            await asyncio.wait_for(working, STOP_BUDGET_S if stop.is_set() else None)
        finally:
            await asyncio.wait_for(self._stop(), STOP_BUDGET_S)

    async def _work(self, stop: asyncio.Event) -> None:
        await self._in_consumer_thread(self._processor.open)
        await self._app.start()
        self._app.flow_control.resume()  # without Kafka of its own, nobody else would open Faust's channels
        log.info("health and metrics at http://localhost:%d/health and /metrics", self._web_port)
        await self._feed(stop)

    async def _stop(self) -> None:
        await self._in_consumer_thread(self._processor.close)
        await self._app.stop()
        self._consumer_thread.shutdown()
        log.info("stopped")

    async def _feed(self, stop: asyncio.Event) -> None:
        """Turn by turn: poll, have it metered, poll again."""
        while not stop.is_set():
            await self._in_consumer_thread(self._processor.poll)
            turn = _Turn(asyncio.get_running_loop().create_future())
            await self._turns.send(value=turn)
            await turn.is_done
        await self._end_last_commit()

    async def _end_last_commit(self) -> None:
        """One that fails now, such as in a rebalance, is nothing to recover from: the next owner takes the batch up."""
        if self._commit is None:
            return
        try:
            await self._commit
        except RECOVERABLE as error:
            log.warning("the last batch was not committed and is left to whoever takes its partitions: %s", error)

    async def _meter(self, turns: faust.StreamT[_Turn]) -> None:
        """The stateful agent: decides each turn's micro-batch and hands it to the commit."""
        async for turn in turns:
            try:
                await self._take_turn()
            except BaseException as error:  # noqa: BLE001 - Faust would log it and go on; the feed raises it
                turn.is_done.set_exception(error)
            else:
                turn.is_done.set_result(None)

    async def _take_turn(self) -> None:
        batch = self._processor.decide()
        if self._commit is not None:
            try:
                self._metrics.committed(await asyncio.wait_for(asyncio.shield(self._commit), self._commit_limit_s))
            except TimeoutError:
                raise BotmeterError(f"a commit has not come back for {self._commit_limit_s:.0f} s") from None
            except RECOVERABLE as error:
                self._commit = None
                await self._recover(error)
                return  # the batch just decided builds on one that does not count
        self._commit = asyncio.wrap_future(self._processor.submit(batch))

    async def _recover(self, error: BotmeterError) -> None:
        self._metrics.failed_commits += 1
        await self._in_consumer_thread(lambda: self._processor.recover(error))

    async def _in_consumer_thread(self, call: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._consumer_thread, call)

    def _serve(self) -> None:
        """Health and metrics. Faust tells functions and methods apart, and takes only functions."""

        async def health(web: View, _: Request) -> Response:
            tasks = {str(number): task.status.value for number, task in sorted(self._processor.tasks.items())}
            return web.json({"status": "running", "tasks": tasks})

        async def metrics(web: View, _: Request) -> Response:
            return web.bytes(self._metrics.render(), content_type="text/plain")

        self._app.page("/health")(health)
        self._app.page("/metrics")(metrics)
