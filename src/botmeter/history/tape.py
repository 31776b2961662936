"""A tape of one account from its journal and inputs, from which `botmeter replay` makes the same decisions again.

Inputs are kept for days, the journal for ever. A record that its topic still has is written unchanged; a deleted one is
rebuilt from the events it caused, which contain its place, its time and the values it was decided by. An input without
events (a chat within its 24 hours, a repeated command) changed nothing, so the tape does not need it. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

import msgspec

from botmeter.contracts import decoding
from botmeter.contracts.instants import rfc3339
from botmeter.contracts.rescues import LossAccepted, RecordSkipped
from botmeter.contracts.rules import RulesChange, RulesHistory, wire_rules
from botmeter.contracts.topics import Topics
from botmeter.domain import events as ev
from botmeter.domain.account import Account, fold
from botmeter.domain.events import Event
from botmeter.errors import PoisonRecord
from botmeter.history.pseudonyms import Pseudonyms
from botmeter.history.rebuilt import rebuilt_command, rebuilt_interaction
from botmeter.metering.records import Record

#: An offset after all interactions.
_AT_THE_END: Final = 2**62
#: The sort key of a line: the interaction's offset before which it was decided; commands first; the journal's order;
#: the order of arrival.
_Order = tuple[int, int, int, int]
#: A topic and an offset.
Place = tuple[str, int]


def placed_rules(
    history: RulesHistory, partition: int, events: Iterable[tuple[int, Event]]
) -> list[tuple[RulesChange, int]]:
    """All recorded rules, each with the version that an account had when they took effect.

    `events` are the account's own, each with its offset in the journal of its partition.
    """
    if not history.messages:
        return []
    offsets, versions = [], [0]
    for offset, event in events:
        offsets.append(offset)
        versions.append(event.version)
    changes = (RulesChange(history.first, -1, 0), *history.changes(partition))
    return [(change, versions[bisect_left(offsets, change.journal)]) for change in changes]


def placed_skips(history: RulesHistory, partition: int, topics: Topics) -> dict[Place, str]:
    """The records that people had skipped, each with why; but those that were decided again after a loss."""
    skipped: dict[Place, str] = {}
    for rescue in history.rescues_of(partition):
        if isinstance(rescue, RecordSkipped):
            skipped[rescue.topic, rescue.offset] = rescue.reason
        elif isinstance(rescue, LossAccepted):
            again = {topics.interactions.name: rescue.interactions, topics.commands.name: rescue.commands}
            skipped = {place: why for place, why in skipped.items() if place[1] < again[place[0]]}
    return skipped


@dataclass(frozen=True, slots=True)
class TapeLine:
    """One line of a tape; `is_rebuilt` when the record was deleted and is rebuilt from its events."""

    order: _Order
    fields: Mapping[str, Any]
    is_rebuilt: bool

    def encode(self) -> bytes:
        """The line, with its line end."""
        return msgspec.json.encode(self.fields) + b"\n"


def tape_of(
    events: Sequence[Event],
    interactions: Iterable[Record],
    commands: Iterable[Record],
    topics: Topics,
    pseudonyms: Pseudonyms | None,
    rules: Iterable[tuple[RulesChange, int]] = (),
    skipped: Mapping[Place, str] = MappingProxyType({}),
) -> list[TapeLine]:
    """The lines, in the order in which their records were decided (`J4`).

    A tape of a journal with pseudonyms for end-users has the same pseudonyms, and its rules need no key.

    Args:
        events: the whole of the account's journal.
        interactions: the account's records that still exist, in the order of their offsets.
        commands: likewise.
        topics: of the installation.
        pseudonyms: for end-users, conversations and contacts; None writes them as they are.
        rules: those in force from each place on, with the version that the account had by then.
        skipped: the records that a person had skipped, by topic and offset, each with why.
    """
    changes = list(rules)
    maker = _Maker(topics, pseudonyms, [change for change, _ in changes], skipped)
    kept_interactions, kept_commands = list(interactions), list(commands)
    groups = [list(group) for _, group in groupby(events, key=lambda event: event.cause)]
    maker.add_interactions(kept_interactions)
    maker.add_commands(kept_commands, kept_interactions, groups)
    account: Account | None = None
    for group in groups:
        maker.add_missing_input(group, account)
        account = fold(account, group)
    for change, version in changes:
        maker.add_rules(change, version)
    return sorted(maker.lines, key=lambda line: line.order)


class _Maker:
    """Collects the lines."""

    def __init__(
        self,
        topics: Topics,
        pseudonyms: Pseudonyms | None,
        rules: Sequence[RulesChange],
        skipped: Mapping[Place, str],
    ) -> None:
        self._topics, self._pseudonyms, self._rules, self._skipped = topics, pseudonyms, rules, skipped
        self._kept: set[tuple[str, int]] = set()
        self.lines: list[TapeLine] = []

    def add_interactions(self, records: Sequence[Record]) -> None:
        for record in records:
            self._add_kept((record.offset(), 1, 0, 0), record)

    def add_commands(
        self, records: Sequence[Record], interactions: Sequence[Record], groups: list[list[Event]]
    ) -> None:
        """Places a command with events where it was decided, another one by broker time, but after its predecessor."""
        decided = {
            (cause.topic, cause.offset): (cause.before_offset, group[0].version)
            for group in groups
            if isinstance(cause := group[0].cause, ev.CommandCause)
        }
        times = [record.timestamp()[1] for record in interactions]
        before, version = 0, 0
        for number, record in enumerate(records):
            known = decided.get((record.topic(), record.offset()))
            if known is not None:
                before, version = known
            else:
                place = bisect_left(times, record.timestamp()[1])
                later = interactions[place].offset() if place < len(interactions) else _AT_THE_END
                before = max(before, later) if version else later
            self._add_kept((before, 0, version, number), record)

    def add_missing_input(self, group: list[Event], before: Account | None) -> None:
        """The input that caused these events, unless its record is on the tape already."""
        first, cause = group[0], group[0].cause
        at = max(event.at for event in group)  # cycles that began first are dated earlier
        if isinstance(cause, ev.TimerCause):
            self._add_tick((cause.before_offset, 0, first.version, 0), at)
        elif (cause.topic, cause.offset) in self._kept:
            return
        elif isinstance(cause, ev.CommandCause):
            order = (cause.before_offset, 0, first.version, 0)
            self._add_rebuilt(order, cause, first.account_id, at, rebuilt_command(group, cause, before))
        elif (interaction := rebuilt_interaction(group, cause)) is not None:
            self._add_rebuilt((cause.offset, 1, 0, 0), cause, first.account_id, at, interaction)
        else:
            self._add_tick((cause.offset, 1, 0, 0), at)

    def add_rules(self, change: RulesChange, version: int) -> None:
        """Adds rules after all decisions by the rules before."""
        order = (change.interactions, 0, version, _AT_THE_END)
        self.lines.append(
            TapeLine(order, {"rules": wire_rules(replace(change.rules, pseudonyms=None))}, is_rebuilt=False)
        )

    def _add_tick(self, order: _Order, at: int) -> None:
        self.lines.append(TapeLine(order, {"tick": rfc3339(at)}, is_rebuilt=False))

    def _add_rebuilt(
        self,
        order: _Order,
        cause: ev.InteractionCause | ev.CommandCause,
        account_id: str,
        at: int,
        value: dict[str, Any],
    ) -> None:
        fields = self._fields(cause.topic, cause.partition, cause.offset, account_id, at)
        shown = value if self._pseudonyms is None else self._pseudonyms.in_fields(value)
        self.lines.append(TapeLine(order, {**fields, "value": shown}, is_rebuilt=True))

    def _add_kept(self, order: _Order, record: Record) -> None:
        self._kept.add((record.topic(), record.offset()))
        key = (record.key() or b"").decode("utf-8", "surrogateescape")
        fields = self._fields(record.topic(), record.partition(), record.offset(), key, record.timestamp()[1])
        value = self._as_decided(record)
        shown = (
            _as_it_is(value)
            if self._pseudonyms is None
            else self._pseudonyms.in_value(record.topic(), value, self._topics)
        )
        why = self._skipped.get((record.topic(), record.offset()))
        if why is not None:  # a person's words may name people
            fields["skipped"] = why if self._pseudonyms is None else "skipped"
        self.lines.append(TapeLine(order, {**fields, "value": shown}, is_rebuilt=False))

    def _as_decided(self, record: Record) -> bytes:
        """The record's value as it was decided: with the end-user's pseudonym, if the rules had pseudonyms then."""
        value = record.value() or b""
        in_force = [change.rules for change in self._rules if change.interactions <= record.offset()]
        if record.topic() != self._topics.interactions.name or not in_force or in_force[-1].pseudonyms is None:
            return value
        try:
            hot = decoding.decode_interaction(value)
        except PoisonRecord:
            return value
        known_as = in_force[-1].pseudonyms.of(hot.account_id, hot.end_user_id)
        return msgspec.json.encode(decoding.json_object(value) | {"end_user_id": known_as})

    def _fields(self, topic: str, partition: int, offset: int, key: str, at: int) -> dict[str, Any]:
        return {"topic": topic, "partition": partition, "offset": offset, "key": key, "timestamp": rfc3339(at)}


def _as_it_is(value: bytes) -> Any:
    """The value unchanged if it is a JSON object on one line; else its bytes as a string, which a tape may contain."""
    try:
        is_object = isinstance(msgspec.json.decode(value), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        is_object = False
    return msgspec.Raw(value) if is_object and b"\n" not in value else value.decode("utf-8", "surrogateescape")
