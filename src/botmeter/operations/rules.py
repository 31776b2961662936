"""The rules in force: agreed on at the start of a worker, and changed for all of them by an explicit act (`C5`).

A change is made while no worker runs. So where each partition stands is a plain fact: the committed offsets of the
inputs and the end of the journal. A worker compares its rules before it joins the group, and again at every restore, up
to the high watermark of the rules. A change is written first and the group looked at after that: either the worker sees
that a change comes, and waits for it, or the change sees the worker, and is taken back.
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

#: Workers that start together fence each other; the one that is fenced finds what the other recorded.
_ATTEMPTS_MAX: Final = 20
#: A transaction that a killed worker left open ends by its own limit.
_SETTLES_WITHIN_S: Final = 30.0
_PAUSE_S: Final = 0.2
_PSEUDONYM_KEY: Final = "BOTMETER_PSEUDONYM_KEY"


def transactional_id(group: str) -> str:
    """Of whoever records rules for the workers of `group`."""
    return f"{group}-rules"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a partition stands."""

    interactions: int
    commands: int
    journal: int


def check(settings: Settings, admin: Admin) -> Iterator[Finding]:
    """Whether a worker with these settings would start."""
    history = RulesDesk(settings, admin).history()
    found = differences(history.now, settings.rules())
    told = ", ".join(f"{name} is {here}, in force is {there}" for name, (there, here) in found.items())
    if found:
        remedy = "set them as all workers have them, or stop all workers and run: botmeter rules set"
        yield Finding("rules", "problem", f"a worker with these settings would not start: {told}", remedy)
    elif history.messages:
        yield Finding("rules", "ok", f"these settings are the rules in force, number {len(history.messages)}")
    else:
        yield Finding("rules", "ok", "none are recorded yet: the first worker records its settings")


def require_same_pseudonyms(settings: Settings) -> None:
    """Returns if the settings name end-users as the log does. Raises ConfigurationError, ClusterError, Retriable."""
    with clients.make_admin(clients.admin_config(settings.kafka, settings.bootstrap_servers)) as admin:
        history = RulesDesk(settings, admin).history()
    found = differences(history.now, settings.rules()).get(_PSEUDONYM_KEY)
    if found is not None:
        there, here = found
        raise ConfigurationError(f"{_PSEUDONYM_KEY} is {here}, in force is {there}: set it as the workers have it")


class RulesDesk:
    """Reads and records the rules of one installation. Used in one thread."""

    def __init__(self, settings: Settings, admin: Admin) -> None:
        self._settings, self._admin, self._topics = settings, admin, settings.topics()
        self._rules = settings.rules()

    def history(self) -> RulesHistory:
        """What the log has; the settings count where it has none. Raises ClusterError, Retriable."""
        reader = clients.make_consumer(self._reading())
        try:
            return read_rules(reader, self._admin, self._topics.rules.name, self._rules, Flag())
        finally:
            reader.close()

    def agree(self, by: str) -> RulesHistory:
        """Returns once the rules of the settings are those in force; where none are recorded, records them.

        Raises ConfigurationError when others are in force, ClusterError, Retriable.
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
        raise ClusterError("the rules could not be recorded: others record them again and again")

    def change(self, by: str, reason: str | None) -> RulesSet:
        """Makes the rules of the settings those in force, from where each partition stands now.

        Raises ConfigurationError while a worker runs, or another changes the rules; ClusterError, Retriable.
        """
        recorder = self._recorder()
        history = self.history()
        standing = self.standing() if history.messages else {}
        taken = tuple(
            TakenBefore(number, each.interactions, each.commands, each.journal)
            for number, each in sorted(standing.items())
        )
        message = self._message(history, by, reason, taken)

        def confirm() -> None:
            self.require_no_worker()
            if history.messages and self.standing() != standing:
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
                f"{', '.join(sorted(group.members))}; stop them first, one that was killed is given up after its "
                "session.timeout.ms"
            )

    def standing(self) -> Mapping[int, Standing]:
        """Where each partition stands, once no transaction is open. Raises ClusterError when one stays open."""
        numbers = range(self._settings.partitions)
        inputs = (self._topics.interactions.name, self._topics.commands.name)
        # Read committed: there is no answer while a transaction holds newer offsets.
        reader = clients.make_consumer(self._reading())
        try:
            taken = questions.committed_offsets(reader, [(name, number) for name in inputs for number in numbers])
        finally:
            reader.close()
        journal = self._settled_journal()
        return {
            number: Standing(taken[inputs[0], number] or 0, taken[inputs[1], number] or 0, journal[number])
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
