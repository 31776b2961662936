"""The rules in force: compared at the start of a worker, and changed for all workers by an explicit command (`C5`).

A change is made while no worker runs, so the position of each partition is known: the committed offsets of the inputs
and the end of the journal. A worker compares its rules before it joins the group, and again at every restore, up to the
high watermark of the rules. A change is written first, and the group is checked afterwards: either the worker sees
the open change and waits for it, or the change sees the worker and is aborted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Event as Flag
from typing import Final

from botmeter.contracts.rules import RulesHistory, RulesSet, TakenBefore, differences
from botmeter.errors import ClusterError, ConfigurationError, TaskMigrated, TransactionAborted
from botmeter.kafka import clients, descriptions, questions
from botmeter.kafka.descriptions import Admin
from botmeter.kafka.rules_log import RulesRecorder, read_rules, require_agreement
from botmeter.operations.findings import Finding
from botmeter.settings.model import Settings

#: Workers that start together fence each other; a fenced worker finds the rules that the other recorded.
_ATTEMPTS_MAX: Final = 20
#: A transaction that a killed worker left open ends by its own timeout.
_SETTLES_WITHIN_S: Final = 30.0
_PAUSE_S: Final = 0.2
_PSEUDONYM_KEY: Final = "BOTMETER_PSEUDONYM_KEY"


def transactional_id(group: str) -> str:
    """Returns the transactional id for recording the rules of the workers of `group`."""
    return f"{group}-rules"


@dataclass(frozen=True, slots=True)
class Position:
    """The committed offsets of a partition's inputs, and the end of its journal."""

    interactions: int
    commands: int
    journal: int


def check(settings: Settings, admin: Admin) -> Iterator[Finding]:
    """Checks whether a worker with these settings would start."""
    history = RulesDesk(settings, admin).history()
    different = differences(history.now, settings.rules())
    text = ", ".join(f"{name} is {own}, in force is {in_force}" for name, (in_force, own) in different.items())
    if different:
        remedy = "set them as all workers have them, or stop all workers and run: botmeter rules set"
        yield Finding("rules", "problem", f"a worker with these settings would not start: {text}", remedy)
    elif history.messages:
        yield Finding("rules", "ok", f"these settings are the rules in force, number {history.messages[-1].number}")
    else:
        yield Finding("rules", "ok", "none are recorded yet: the first worker records its settings")


def require_same_pseudonyms(settings: Settings) -> None:
    """Raises ConfigurationError unless the pseudonym key equals the log's. Raises also ClusterError, Retriable."""
    with clients.make_admin(clients.admin_config(settings.kafka, settings.bootstrap_servers)) as admin:
        history = RulesDesk(settings, admin).history()
    difference = differences(history.now, settings.rules()).get(_PSEUDONYM_KEY)
    if difference is not None:
        in_force, own = difference
        raise ConfigurationError(f"{_PSEUDONYM_KEY} is {own}, in force is {in_force}: set it as the workers have it")


class RulesDesk:
    """Reads and records the rules of one installation. Used by one thread."""

    def __init__(self, settings: Settings, admin: Admin) -> None:
        self._settings, self._admin, self._topics = settings, admin, settings.topics()
        self._rules = settings.rules()

    def history(self) -> RulesHistory:
        """Returns the rules in the log, else those of the settings. Raises ClusterError, Retriable."""
        reader = clients.make_consumer(self._reading())
        try:
            return read_rules(reader, self._admin, self._topics.rules.name, self._rules, Flag())
        finally:
            reader.close()

    def agree(self, by: str) -> RulesHistory:
        """Returns once the rules of the settings are in force; records them when none are recorded.

        Raises ConfigurationError when other rules are in force, ClusterError, Retriable.
        """
        history = self.history()
        for _ in range(_ATTEMPTS_MAX):
            if history.messages:
                require_agreement(history, self._rules)
                return history
            try:
                recorder = self._recorder()
                history = self.history()
                if not history.messages:
                    recorder.record(self._message(history, by, None, ()))
                    history = self.history()
            except (TaskMigrated, TransactionAborted):
                history = self.history()
        raise ClusterError("the rules could not be recorded: other processes record them at the same time")

    def change(self, by: str, reason: str | None) -> RulesSet:
        """Puts the rules of the settings in force from each partition's current position on.

        Raises ConfigurationError while a worker runs or another process changes the rules; ClusterError, Retriable.
        """
        recorder = self._recorder()
        history = self.history()
        positions = self.positions() if history.messages else {}
        taken = tuple(
            TakenBefore(number, each.interactions, each.commands, each.journal)
            for number, each in sorted(positions.items())
        )
        message = self._message(history, by, reason, taken)

        def confirm() -> None:
            self.require_no_worker()
            if history.messages and self.positions() != positions:
                raise ConfigurationError("a worker ran meanwhile; nothing was changed: stop all workers and try again")

        try:
            recorder.record(message, confirm)
        except (TaskMigrated, TransactionAborted) as error:
            raise ConfigurationError(
                f"whether the rules were recorded is not known, see: botmeter rules show ({error})"
            ) from error
        return message

    def require_no_worker(self) -> None:
        """Raises ConfigurationError while the group has members."""
        group = descriptions.describe_group(self._admin, self._settings.group)
        if group.members:
            raise ConfigurationError(
                f"{len(group.members)} workers of the group {self._settings.group} run: "
                f"{', '.join(sorted(group.members))}; stop them first; a killed one leaves the group after its "
                "session.timeout.ms"
            )

    def positions(self) -> Mapping[int, Position]:
        """Returns each partition's position, once no transaction is open. Raises ClusterError when one stays open."""
        numbers = range(self._settings.partitions)
        inputs = (self._topics.interactions.name, self._topics.commands.name)
        # Read committed: the group does not respond while an open transaction contains newer offsets.
        reader = clients.make_consumer(self._reading())
        try:
            taken = questions.committed_offsets(reader, [(name, number) for name in inputs for number in numbers])
        finally:
            reader.close()
        journal = self._settled_journal()
        return {
            number: Position(taken[inputs[0], number] or 0, taken[inputs[1], number] or 0, journal[number])
            for number in numbers
        }

    def _settled_journal(self) -> Mapping[int, int]:
        numbers, name = range(self._settings.partitions), self._topics.journal.name
        deadline = time.monotonic() + _SETTLES_WITHIN_S
        while True:
            ends = questions.end_offsets(self._admin, name, numbers)
            if questions.stable_offsets(self._admin, name, numbers) == ends:
                return ends
            if time.monotonic() > deadline:
                raise ClusterError(f"topic {name}: a transaction stays open (kafka-transactions.sh find-hanging)")
            time.sleep(_PAUSE_S)

    def _message(self, history: RulesHistory, by: str, reason: str | None, taken: tuple[TakenBefore, ...]) -> RulesSet:
        return RulesSet(history.length + 1, time.time_ns() // 1_000_000, by, reason, self._rules, taken)

    def _recorder(self) -> RulesRecorder:
        settings = self._settings
        config = clients.producer_config(
            settings.kafka,
            settings.bootstrap_servers,
            transactional_id(settings.group),
            settings.transaction_timeout_ms,
        )
        return RulesRecorder(config, self._topics.rules.name)

    def _reading(self) -> clients.Config:
        return clients.reader_config(self._settings.kafka, self._settings.bootstrap_servers, self._settings.group)
