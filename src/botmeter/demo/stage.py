"""The play itself, act by act: accounts are opened, traffic flows, what is left is metered."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from botmeter.demo.billing import BillingSide
from botmeter.demo.cluster import Cluster
from botmeter.demo.model import Model, Sample
from botmeter.demo.screen import Screen
from botmeter.demo.watch import Watch
from botmeter.embedded.distribution import KAFKA_VERSION
from botmeter.errors import BotmeterError
from botmeter.simulation.interruption import Interruption
from botmeter.simulation.pace import Pace
from botmeter.simulation.publisher import TICK_S, Publisher
from botmeter.simulation.records import COMMAND_KINDS
from botmeter.simulation.traffic import Traffic

#: How long an act may take that waits for the worker: many times what it needs on a busy machine.
_PATIENCE_S: Final = 60.0
#: How often the worker's offsets are asked for.
_SAMPLE_S: Final = 0.5


class Stage:
    """The parts of a running demo, driven by one thread."""

    def __init__(
        self,
        cluster: Cluster,
        watch: Watch,
        model: Model,
        publisher: Publisher,
        screen: Screen,
        interruption: Interruption,
    ) -> None:
        self._cluster, self._watch, self._model = cluster, watch, model
        self._publisher, self._screen, self._interruption = publisher, screen, interruption
        self._begun = time.monotonic()
        self._shown_at = self._sampled_at = float("-inf")
        self._act = ""

    def open_accounts(self, traffic: Traffic) -> None:
        """Until every command is answered, which is also when the worker is ready."""
        self._act = "opening accounts"
        opening = traffic.opening()
        self._publisher.publish(opening)
        self._await(lambda: self._model.results >= len(opening), "the commands that open the accounts are not answered")

    def play(self, traffic: Traffic, billing: BillingSide, rate: float, seconds: float) -> None:
        """Traffic for that long, with purchases by those who run out; for ever when `seconds` is infinite."""
        self._begun = time.monotonic()
        self._model.samples.clear()
        pace = Pace(traffic, rate, day_begins_ms=0, day_length_s=None)
        while (elapsed_s := time.monotonic() - self._begun) < seconds:
            until = "Ctrl-C ends it" if seconds == float("inf") else f"ends at {seconds:.0f} s"
            self._act = f"{elapsed_s:.0f} s, {until}"
            self._publisher.publish(traffic.take(pace.due(elapsed_s), time.time_ns() // 1_000_000))
            with self._watch.lock:
                used_up = list(self._model.used_up)
                self._model.used_up.clear()
            billing.hear(used_up, elapsed_s)
            self._publisher.publish(billing.due(elapsed_s))
            self.go_on()
            self._publisher.serve(self._begun + elapsed_s + TICK_S - time.monotonic())

    def settle(self) -> None:
        """Until the worker has committed the last offset of its inputs, and all that it wrote is on the screen."""
        self._act = "metering what is left"
        self._publisher.flush()
        if self._publisher.failed:
            raise BotmeterError(f"records were not delivered: {dict(self._publisher.failed)}")
        topics = self._cluster.topics
        ends = self._cluster.ends((topics.interactions.name, topics.commands.name))
        self._await(lambda: self._cluster.taken() == ends, "the worker has not taken all of its inputs")
        outputs = self._cluster.ends(topic.name for topic in topics.all() if topic.direction == "out")
        self._watch.catch_up(outputs, self.go_on)
        self._await(self._is_all_told, "alerts are not told")
        self._shown_at = self._sampled_at = float("-inf")
        self._act = "all is metered and told"
        self.go_on()

    def _is_all_told(self) -> bool:
        with self._watch.lock:
            self._model.take_arrivals(self._cluster.inbox.new())
            return self._model.untold() == 0

    def go_on(self) -> None:
        """Shows how things are. Raises what forbids going on: Ctrl-C, a dead worker, a fault in reading."""
        if self._interruption.has_come:
            raise KeyboardInterrupt
        self._cluster.worker.require_running()
        self._cluster.notifier.require_running()
        self._watch.require_health()
        now = time.monotonic()
        if now - self._sampled_at >= _SAMPLE_S:
            self._sampled_at = now
            self._sample(now - self._begun)
        if now - self._shown_at >= self._screen.interval_s:
            self._shown_at = now
            with self._watch.lock:
                self._model.take_arrivals(self._cluster.inbox.new())
                self._screen.show(self._model, self._title())

    def _sample(self, elapsed_s: float) -> None:
        interactions = self._cluster.topics.interactions.name
        metered = sum(offset for (topic, _), offset in self._cluster.taken().items() if topic == interactions)
        sent = self._publisher.sent
        with self._watch.lock:
            self._model.take_sample(
                Sample(elapsed_s, sent.total() - sum(sent[kind] for kind in COMMAND_KINDS), metered)
            )

    def _title(self) -> str:
        servers = self._cluster.settings.bootstrap_servers
        inbox = self._cluster.inbox.url
        return f"botmeter demo · Apache Kafka {KAFKA_VERSION} at {servers} · inbox {inbox} · {self._act}"

    def _await(self, is_done: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_done():
            if time.monotonic() > deadline:
                raise BotmeterError(f"{otherwise} after {_PATIENCE_S:.0f} s")
            self.go_on()
            self._publisher.serve(TICK_S)
