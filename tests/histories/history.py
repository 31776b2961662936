"""One history: a seed, a cluster, workers and what befalls them, and the witness at its end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from botmeter.contracts import catalogue
from botmeter.contracts.rules import RulesHistory
from botmeter.kafka.rules_log import RULES_PARTITION
from botmeter.verification.findings import Findings
from botmeter.verification.witness import Ends, Witness
from memory_kafka.broker import MemoryBroker
from memory_kafka.world import Process

from .disk import Disk
from .inputs import Source
from .operator import Operator
from .plan import Plan, drawn
from .scheduler import Scheduler
from .stores import require_warm_equals_cold
from .substitution import substituted
from .worker import Worker, settings_of

PARTITIONS: Final = 2
#: After the last fault, everything is metered within this time of the cluster's clock.
_CALM_MS: Final = 600_000
_NAMES: Final = ("ada", "bob", "cyd", "dot")


class Failed(AssertionError):  # noqa: N818 - what a history is, not an error of the code
    """A history that ended in anything but what the inputs lead to."""


@dataclass
class Figures:
    """What there was in one history, or in many."""

    histories: int = 0
    records: int = 0
    confirmed: int = 0
    #: Compared with a cold restore: those that the dead have left, and those of the end.
    stores: int = 0
    lives: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    ended_with: Counter[str] = field(default_factory=Counter)
    overtaken: int = 0

    def add(self, other: Figures) -> None:
        self.histories += other.histories
        self.records += other.records
        self.confirmed += other.confirmed
        self.stores += other.stores
        self.lives += other.lives
        self.overtaken += other.overtaken
        self.crashes += other.crashes
        self.faults += other.faults
        self.ended_with += other.ended_with


class History:
    """To be run once."""

    def __init__(self, seed: int, plan: Plan | None = None, tell: Callable[[str], None] | None = None) -> None:
        self.seed, self._dice = seed, Random(seed)
        self.plan = drawn(self._dice) if plan is None else plan
        self.scheduler = Scheduler(self.plan, self._dice)
        self.broker = MemoryBroker(self.scheduler)
        self.disk = Disk(self.scheduler)
        settings = [settings_of(name, PARTITIONS) for name in _NAMES[: self.plan.workers]]
        self.group, self.topics, self.rules = settings[0].group, settings[0].topics(), settings[0].rules()
        self._inputs = (self.topics.interactions, self.topics.commands)
        for topic in self.topics.all():
            has_brokers_time = topic.config["message.timestamp.type"] == "LogAppendTime"
            partitions = 1 if topic is self.topics.rules else PARTITIONS
            self.broker.create_topic(topic.name, partitions, has_brokers_time)
        skews = (*self.plan.skews_ms, 0, 0, 0, 0)
        self.workers = [Worker(self.scheduler, each, skews[number]) for number, each in enumerate(settings)]
        self.source = Source(self.broker, self.topics, PARTITIONS, self.plan.accounts, self._dice)
        self.operator = Operator(self.scheduler, settings_of("operator", PARTITIONS))
        self.scheduler.die = self._die
        self._unwritten = 0
        if tell is not None:
            self.scheduler.tell = lambda line: tell(f"{self.scheduler.now_ms % 10_000_000:>9} {line}")

    def run(self) -> Figures:
        """Raises Failed, with the seed."""
        logging.disable(logging.CRITICAL)
        try:
            with substituted(self.scheduler, self.broker, self.disk):
                self._run()
            return self._verified()
        except Exception as error:
            raise Failed(f"python -m histories {self.seed}: {error!r}") from error
        finally:
            logging.disable(logging.NOTSET)

    def _run(self) -> None:
        scheduler, plan, dice = self.scheduler, self.plan, self._dice
        self.source.open_accounts()
        for worker in self.workers:
            scheduler.after(dice.randint(0, 2_000), worker.start)
        self._unwritten = left = plan.records
        while left > 0:
            count = min(left, dice.choice([1, 2, 5, 10, 40]))
            is_transaction = plan.has_transactional_inputs and dice.random() < 0.5
            scheduler.after(dice.randint(0, plan.unrest_ms), lambda n=count, t=is_transaction: self._write(n, t))  # type: ignore[misc]
            left -= count
        self._unwritten += plan.poisoned
        for _ in range(plan.poisoned):
            scheduler.after(dice.randint(0, plan.unrest_ms), self._poison)
        if plan.poisoned:
            self.operator.start()
        for _ in range(plan.unrest):
            scheduler.after(dice.randint(0, plan.unrest_ms), self._disturb)
        if plan.jump_ms:
            scheduler.after(dice.randint(0, plan.unrest_ms), self._jump)
        end = scheduler.now_ms + plan.unrest_ms
        scheduler.run(lambda: scheduler.now_ms >= end, plan.unrest_ms + plan.jump_ms + 1)
        scheduler.is_calm = True
        scheduler.run(self._is_settled, _CALM_MS)
        for worker in self.workers:
            worker.stop(for_good=True)
        scheduler.run(lambda: not any(worker.is_up for worker in self.workers) and self._is_settled(), _CALM_MS)
        scheduler.end(self.operator.process)

    # --- What befalls it ---

    def _write(self, count: int, is_transaction: bool) -> None:  # noqa: FBT001 - drawn
        self.source.write(count, in_transaction=is_transaction)
        self._unwritten -= count

    def _poison(self) -> None:
        self.source.write_with_own_time()
        self.scheduler.faults["record with its producer's time"] += 1
        self._unwritten -= 1

    def _jump(self) -> None:
        """The night is over, or the month: nobody wrote anything, and all workers were down or idle."""
        self.scheduler.now_ms += self.plan.jump_ms

    def _disturb(self) -> None:
        worker = self._dice.choice(self.workers)
        kind = self._dice.choice(self.plan.disturbances)
        if not worker.is_up:
            return
        self.scheduler.faults[kind] += 1
        if self.scheduler.tell:
            self.scheduler.tell(f"{worker.process.name}: {kind}")
        if kind == "kill":
            self.scheduler.end(worker.process)
            self._die(worker.process, "killed")
        elif kind == "stop":
            worker.stop()
        elif kind == "forget":
            self._forget()
        elif not worker.process.is_frozen:
            self._freeze(worker.process)

    def _forget(self) -> None:
        """The group gives a member up, as one of which it hears nothing; the member's next heartbeat is told so."""
        group = self.broker.group(self.group)
        if group.members:
            member = group.members[self._dice.choice(sorted(group.members))]
            group.leave(member.id)
            self.scheduler.after(self._dice.choice([10, 300, 3_000]), member.client.hear)

    def _freeze(self, process: Process) -> None:
        process.is_frozen = True
        self.broker.watch(process)

        def thaw() -> None:
            process.is_frozen = False
            self.broker.hear(process)

        self.scheduler.after(self._dice.choice([200, 2_000, 4_000, 8_000]), thaw)

    def _die(self, process: Process, point: str) -> None:
        process.is_dead = True
        self.disk.bury(process)
        if self.scheduler.tell:
            self.scheduler.tell(f"{process.name}: DIES, {point}")
        self.broker.watch(process)
        for worker in self.workers:
            if worker.process is process:
                worker.start_again()
        if self.operator.process is process:
            self.operator.start_again()

    # --- Its end ---

    def _is_settled(self) -> bool:
        if self._unwritten:
            return False
        offsets = self.broker.group(self.group).offsets
        inputs = {topic.name for topic in self._inputs}
        return self.broker.transactions.is_settled and all(
            log.stable_offset == log.high_watermark
            and (log.place[0] not in inputs or offsets.get(log.place, 0) >= log.high_watermark)
            for log in self.broker.logs()
        )

    def _verified(self) -> Figures:
        findings = Findings()
        rules_log = self.broker.log((self.topics.rules.name, RULES_PARTITION)).committed()
        log_of_rules = RulesHistory([catalogue.RULES.decode(record.value()) for record in rules_log], self.rules)
        for number in range(PARTITIONS):
            topics = [topic.name for topic in self.topics.all() if topic is not self.topics.rules]
            ends = {topic: self.broker.log((topic, number)).high_watermark for topic in topics}
            skipped = log_of_rules.skipped(number).keys()
            witness = Witness(number, PARTITIONS, self.topics, self.rules, findings, skipped=skipped)
            streams = {name: [self.broker.log((name, number)).committed()] for name in ends}
            taken = Ends(ends[self.topics.interactions.name], ends[self.topics.commands.name], ends)
            witness.verify(streams, taken, lambda _: None)
        if findings.total:
            raise AssertionError("\n".join(str(difference) for difference in findings.differences[:5]))
        stores = [*self.disk.left, *self.disk.contents.items()]
        for number in range(PARTITIONS):
            require_warm_equals_cold(
                [content for path, content in stores if path.name == f"partition-{number}"],
                self.broker.log((self.topics.journal.name, number)).committed(),
                max(self.broker.log((topic.name, number)).latest_timestamp() for topic in self._inputs),
                self.rules,
            )
        confirmed = sum(counts.total() for counts in findings.confirmed.values())
        errors = Counter(type(error).__name__ for worker in self.workers for error in worker.errors)
        return Figures(
            histories=1,
            records=findings.interactions + findings.commands,
            confirmed=confirmed,
            stores=len(stores),
            lives=sum(worker.lives for worker in self.workers),
            crashes=self.scheduler.crashes,
            faults=self.scheduler.faults,
            ended_with=errors,
            overtaken=findings.commands_overtaken,
        )
