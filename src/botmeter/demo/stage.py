"""Runs the demo step by step: opens accounts, publishes traffic, waits until everything is metered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from botmeter.demo.billing import BillingSide
from botmeter.demo.cluster import Cluster
from botmeter.demo.model import Model, Sample
from botmeter.demo.reading import Place
from botmeter.demo.screen import Screen
from botmeter.demo.story import Story
from botmeter.demo.watch import Watch
from botmeter.embedded.distribution import KAFKA_VERSION
from botmeter.errors import BotmeterError
from botmeter.simulation.interruption import Interruption, watched_for_interruption
from botmeter.simulation.pace import Pace
from botmeter.simulation.publisher import TICK_S, Publisher
from botmeter.simulation.records import COMMAND_KINDS, SimulatedRecord
from botmeter.simulation.traffic import Traffic

#: How long a step may wait for the worker: many times what it needs on a busy machine.
_PATIENCE_S: Final = 60.0
#: How often the worker's committed offsets are queried.
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
        self._step = ""

    def open_accounts(self, traffic: Traffic) -> None:
        """Opens the accounts; returns when every command is answered, so the worker is ready then."""
        self._step = "opening accounts"
        self._command(traffic.opening())

    def begin_story(self, story: Story) -> None:
        """Opens the story's accounts and publishes their past. Needs a ready worker: one of their cycles ends soon."""
        self._step = "the story's accounts and their last two days"
        self._command(story.opening(_now_ms()))
        self._publisher.publish(story.past(_now_ms()))

    def _command(self, commands: Sequence[SimulatedRecord]) -> None:
        wanted = self._model.results + len(commands)
        self._publisher.publish(commands)
        self._await(lambda: self._model.results >= wanted, "the commands that open the accounts are not answered")

    def play(self, traffic: Traffic, story: Story, billing: BillingSide, rate: float, seconds: float) -> None:
        """Publishes traffic for `seconds` or until Ctrl-C, with purchases of the accounts that run out."""
        self._begun = time.monotonic()
        self._model.samples.clear()
        pace = Pace(traffic, rate, day_begins_ms=0, day_length_s=None)
        with watched_for_interruption() as ending:  # a second Ctrl-C is the demo's
            while (elapsed_s := time.monotonic() - self._begun) < seconds and not ending.has_come:
                until = "Ctrl-C ends it" if seconds == float("inf") else f"ends at {seconds:.0f} s"
                self._step = f"{elapsed_s:.0f} s, {until}"
                self._publisher.publish(traffic.take(pace.due(elapsed_s), _now_ms()))
                self._publisher.publish(story.due(elapsed_s, _now_ms()))
                self._publisher.publish(self._purchases(billing, elapsed_s))
                self.update()
                self._publisher.serve(self._begun + elapsed_s + TICK_S - time.monotonic())

    def _purchases(self, billing: BillingSide, elapsed_s: float) -> Sequence[SimulatedRecord]:
        with self._watch.lock:
            used_up = list(self._model.used_up)
            self._model.used_up.clear()
        billing.schedule_purchases(used_up, elapsed_s)
        return billing.due(elapsed_s)

    def settle(self) -> None:
        """Waits until the worker has committed its inputs to the end, and the screen shows all its outputs."""
        self._step = "metering what is left"
        self._publisher.flush()
        if self._publisher.failed:
            raise BotmeterError(f"records were not delivered: {dict(self._publisher.failed)}")
        topics = self._cluster.topics
        ends = self._cluster.ends((topics.interactions.name, topics.commands.name))
        self._await(lambda: self._has_committed(ends), "the worker has not committed all of its inputs")
        outputs = self._cluster.ends(topic.name for topic in topics.all() if topic.direction == "out")
        self._watch.catch_up(outputs, self.update)
        self._await(self._is_all_mailed, "some alerts have not been mailed")
        self._shown_at = self._sampled_at = float("-inf")
        self._step = "everything is metered and mailed"
        self.update()

    def _has_committed(self, ends: Mapping[Place, int]) -> bool:
        """Returns whether the worker is at `ends` or past them: the user may still be buying."""
        committed = self._cluster.committed()
        return all(committed[place] >= end for place, end in ends.items())

    def _is_all_mailed(self) -> bool:
        with self._watch.lock:
            self._model.take_arrivals(self._cluster.inbox.new())
            return self._model.unmailed_count() == 0

    def update(self) -> None:
        """Shows the present state. Raises KeyboardInterrupt on Ctrl-C, ProgramEnded, or an error of reading."""
        if self._interruption.has_come:
            raise KeyboardInterrupt
        self._cluster.worker.require_running()
        self._cluster.notifier.require_running()
        self._cluster.web.require_running()
        self._watch.require_health()
        now = time.monotonic()
        if now - self._sampled_at >= _SAMPLE_S:
            self._sampled_at = now
            self._sample(now - self._begun)
        if now - self._shown_at >= self._screen.interval_s:
            self._shown_at = now
            with self._watch.lock:
                self._model.take_arrivals(self._cluster.inbox.new())
                self._screen.show(self._model, self._title(), self._cluster.inbox.billing_url)

    def _sample(self, elapsed_s: float) -> None:
        interactions = self._cluster.topics.interactions.name
        metered = sum(offset for (topic, _), offset in self._cluster.committed().items() if topic == interactions)
        sent = self._publisher.sent
        with self._watch.lock:
            self._model.take_sample(
                Sample(elapsed_s, sent.total() - sum(sent[kind] for kind in COMMAND_KINDS), metered)
            )

    def _title(self) -> str:
        servers = self._cluster.settings.bootstrap_servers
        inbox = self._cluster.inbox.url
        return f"botmeter demo · Apache Kafka {KAFKA_VERSION} at {servers} · inbox {inbox} · {self._step}"

    def _await(self, is_done: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_done():
            if time.monotonic() > deadline:
                raise BotmeterError(f"{otherwise} after {_PATIENCE_S:.0f} s")
            self.update()
            self._publisher.serve(TICK_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
