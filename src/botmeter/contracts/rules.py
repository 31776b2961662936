"""The log of operators' decisions: the rules in force (`C5`), from which offsets on, and the rescues of partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from botmeter.contracts.codec import Codec, Special
from botmeter.contracts.pseudonyms import pseudonyms_of_key
from botmeter.contracts.rescues import LossAccepted, OffsetsSet, RecordSkipped, Rescue
from botmeter.domain.prices import SECOND_MS, Exhaustion, PriceBook, Rules
from botmeter.domain.sessions import memory_ms


@dataclass(frozen=True, slots=True)
class TakenBefore:
    """A partition's offsets when the rules changed: records below them were decided by the previous rules."""

    partition: int
    interactions: int
    commands: int
    journal: int


@dataclass(frozen=True, slots=True)
class RulesSet:
    """From here on these rules are in force, until the next of these messages.

    `number` counts all messages of the log: 1, 2, 3, ... `by` is who set them, `reason` why. `taken` has a row for each
    partition; it is empty in the first message, whose rules also apply to all records before.
    """

    number: int
    at: int
    by: str
    reason: str | None
    rules: Rules
    taken: tuple[TakenBefore, ...]


class WireRules(msgspec.Struct):
    """Rules on the wire: one object, in which prices are not nested."""

    pack_sessions: int
    pack_price_minor: int
    currency: str
    complimentary_sessions: int
    ahead_limit_ms: int
    late_limit_ms: int
    exhaustion: Exhaustion
    default_thresholds: tuple[int, ...]
    pseudonym_key: str | None = None

    def rules(self) -> Rules:
        """Returns the domain's rules; of the pseudonym key only the id is known."""
        prices = PriceBook(self.pack_sessions, self.pack_price_minor, self.currency, self.complimentary_sessions)
        pseudonyms = None if self.pseudonym_key is None else pseudonyms_of_key(self.pseudonym_key)
        return Rules(
            prices, self.ahead_limit_ms, self.late_limit_ms, self.exhaustion, self.default_thresholds, pseudonyms
        )


def wire_rules(rules: Rules) -> WireRules:
    """Returns the rules as they are on the wire."""
    prices = rules.prices
    return WireRules(
        prices.pack_sessions, prices.pack_price_minor, prices.currency, prices.complimentary_sessions,
        rules.ahead_limit_ms, rules.late_limit_ms, rules.exhaustion, rules.default_thresholds,
        None if rules.pseudonyms is None else rules.pseudonyms.key_id,
    )  # fmt: skip


def with_key(rules: Rules, known: Rules) -> Rules:
    """Returns rules of the log, with the pseudonym key of the settings (`known`) where they name that key."""
    return replace(rules, pseudonyms=known.pseudonyms) if rules.pseudonyms == known.pseudonyms else rules


_RULES: Final[Codec[RulesSet | Rescue]] = Codec(
    [RulesSet, RecordSkipped, OffsetsSet, LossAccepted],
    "a change of the rules or a rescue",
    special={"rules": Special(WireRules, WireRules.rules, wire_rules)},
)
encode_rules: Final = _RULES.encode
#: Raises ValueError for any other message.
decode_rules: Final = _RULES.decode


@dataclass(frozen=True, slots=True)
class RulesChange:
    """From these offsets of one partition on, these rules apply."""

    rules: Rules
    interactions: int
    journal: int


class RulesHistory:
    """All rules that were recorded, in their order, and the rescues.

    `unrecorded`, the rules of the settings, apply where none were ever recorded.
    """

    def __init__(self, log: Sequence[RulesSet | Rescue], unrecorded: Rules, end: int = 0) -> None:
        #: The offset up to which the log was read.
        self.end = end
        #: The number of messages in the log.
        self.length = len(log)
        self.messages = tuple(
            replace(message, rules=with_key(message.rules, unrecorded))
            for message in log
            if isinstance(message, RulesSet)
        )
        self.rescues = tuple(message for message in log if not isinstance(message, RulesSet))
        self._unrecorded = unrecorded

    @property
    def first(self) -> Rules:
        """The first rules."""
        return self.messages[0].rules if self.messages else self._unrecorded

    @property
    def now(self) -> Rules:
        """The rules in force."""
        return self.messages[-1].rules if self.messages else self._unrecorded

    def changes(self, partition: int) -> tuple[RulesChange, ...]:
        """Returns the changes after the first rules, with the offsets of one partition."""
        return self._changes(partition, after=0)

    def since_loss(self, partition: int) -> tuple[Rules, tuple[RulesChange, ...]]:
        """Returns a partition's first rules since its last accepted loss, or since the start, and the later changes."""
        loss = self.loss(partition)
        if loss is None:
            return self.first, self.changes(partition)
        before = [message.rules for message in self.messages if message.number < loss.number]
        return before[-1] if before else self.first, self._changes(partition, after=loss.number)

    def _changes(self, partition: int, after: int) -> tuple[RulesChange, ...]:
        return tuple(
            RulesChange(message.rules, taken.interactions, taken.journal)
            for message in self.messages
            for taken in message.taken
            if taken.partition == partition and message.number > after
        )

    def rescues_of(self, partition: int) -> tuple[Rescue, ...]:
        """Returns the rescues of one partition."""
        return tuple(rescue for rescue in self.rescues if rescue.partition == partition)

    def last_rescue(self, partition: int) -> int:
        """Returns the number of a partition's last rescue; 0 without one."""
        return max((rescue.number for rescue in self.rescues_of(partition)), default=0)

    def loss(self, partition: int) -> LossAccepted | None:
        """Returns the last accepted loss of a partition, or None."""
        losses = [rescue for rescue in self.rescues_of(partition) if isinstance(rescue, LossAccepted)]
        return losses[-1] if losses else None

    def skipped(self, partition: int) -> Mapping[tuple[str, int], RecordSkipped]:
        """Returns a partition's records to skip since its last accepted loss, by topic and offset."""
        loss = self.loss(partition)
        return {
            (rescue.topic, rescue.offset): rescue
            for rescue in self.rescues_of(partition)
            if isinstance(rescue, RecordSkipped) and (loss is None or rescue.number > loss.number)
        }

    @property
    def longest_memory_ms(self) -> int:
        """The longest time for which a session start is needed under any of the rules (`memory_ms`)."""
        return max(memory_ms(rules) for rules in (self.first, *(message.rules for message in self.messages)))


def as_settings(rules: Rules) -> dict[str, str]:
    """Returns the rules as settings: by name, in the form in which they are set."""
    return {
        "pack_sessions": str(rules.prices.pack_sessions),
        "pack_price_minor": str(rules.prices.pack_price_minor),
        "currency": rules.prices.currency,
        "complimentary_sessions": str(rules.prices.complimentary_sessions),
        "ahead_limit_s": str(rules.ahead_limit_ms // SECOND_MS),
        "late_limit_s": str(rules.late_limit_ms // SECOND_MS),
        "exhaustion": rules.exhaustion,
        "default_thresholds": ",".join(map(str, rules.default_thresholds)),
        "pseudonym_key": "none" if rules.pseudonyms is None else f"key {rules.pseudonyms.key_id}",
    }


def differences(old: Rules, new: Rules) -> dict[str, tuple[str, str]]:
    """Returns the differences by the variable that sets them: the old value and the new."""
    before, after = as_settings(old), as_settings(new)
    return {f"BOTMETER_{name.upper()}": (before[name], after[name]) for name in before if before[name] != after[name]}
