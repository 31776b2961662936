"""The log of what people decided: the rules in force (`C5`), from where on, and the rescues of partitions."""

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
    """Where a partition stood when the rules changed: what lies below these offsets was decided by the rules before."""

    partition: int
    interactions: int
    commands: int
    journal: int


@dataclass(frozen=True, slots=True)
class RulesSet:
    """From here on these rules are in force, until the next of these messages.

    `number` counts all messages of the log: 1, 2, 3, ... `by` is who set them, `reason` why. `taken` has a row for each
    partition; it is empty in the first message, whose rules everything before was decided by.
    """

    number: int
    at: int
    by: str
    reason: str | None
    rules: Rules
    taken: tuple[TakenBefore, ...]


class WireRules(msgspec.Struct):
    """Rules on the wire: one object, without a level for the prices."""

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
        """As the domain has them; of the key of pseudonyms only the id is known."""
        prices = PriceBook(self.pack_sessions, self.pack_price_minor, self.currency, self.complimentary_sessions)
        pseudonyms = None if self.pseudonym_key is None else pseudonyms_of_key(self.pseudonym_key)
        return Rules(
            prices, self.ahead_limit_ms, self.late_limit_ms, self.exhaustion, self.default_thresholds, pseudonyms
        )


def wire_rules(rules: Rules) -> WireRules:
    """The rules as they are on the wire."""
    prices = rules.prices
    return WireRules(
        prices.pack_sessions, prices.pack_price_minor, prices.currency, prices.complimentary_sessions,
        rules.ahead_limit_ms, rules.late_limit_ms, rules.exhaustion, rules.default_thresholds,
        None if rules.pseudonyms is None else rules.pseudonyms.key_id,
    )  # fmt: skip


def with_key(rules: Rules, known: Rules) -> Rules:
    """Rules of the log, with the key of the settings (`known`) where they name that one."""
    return replace(rules, pseudonyms=known.pseudonyms) if rules.pseudonyms == known.pseudonyms else rules


_RULES: Final[Codec[RulesSet | Rescue]] = Codec(
    [RulesSet, RecordSkipped, OffsetsSet, LossAccepted],
    "a change of the rules or a rescue",
    special={"rules": Special(WireRules, WireRules.rules, wire_rules)},
)
encode_rules: Final = _RULES.encode
#: Raises ValueError for what is none.
decode_rules: Final = _RULES.decode


@dataclass(frozen=True, slots=True)
class RulesChange:
    """From these offsets of one partition on, decisions follow these rules."""

    rules: Rules
    interactions: int
    journal: int


class RulesHistory:
    """All rules there were, in their order, and the rescues among them.

    `unrecorded`, the rules of the settings, count where none were ever recorded.
    """

    def __init__(self, log: Sequence[RulesSet | Rescue], unrecorded: Rules) -> None:
        #: How many messages the log has.
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
        """What the log begins with."""
        return self.messages[0].rules if self.messages else self._unrecorded

    @property
    def now(self) -> Rules:
        """What is in force."""
        return self.messages[-1].rules if self.messages else self._unrecorded

    def changes(self, partition: int) -> tuple[RulesChange, ...]:
        """What came after the first rules, as one partition met it."""
        return self._changes(partition, after=0)

    def since_loss(self, partition: int) -> tuple[Rules, tuple[RulesChange, ...]]:
        """What a partition began with after its last accepted loss, or ever, and what came after."""
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
        """Those of one partition."""
        return tuple(rescue for rescue in self.rescues if rescue.partition == partition)

    def last_rescue(self, partition: int) -> int:
        """The number of the last of them; 0 where there was none."""
        return max((rescue.number for rescue in self.rescues_of(partition)), default=0)

    def loss(self, partition: int) -> LossAccepted | None:
        """The last that was accepted of a partition."""
        losses = [rescue for rescue in self.rescues_of(partition) if isinstance(rescue, LossAccepted)]
        return losses[-1] if losses else None

    def skipped(self, partition: int) -> Mapping[tuple[str, int], RecordSkipped]:
        """The records of a partition to be skipped, by topic and offset; those of before a loss are not among them."""
        loss = self.loss(partition)
        return {
            (rescue.topic, rescue.offset): rescue
            for rescue in self.rescues_of(partition)
            if isinstance(rescue, RecordSkipped) and (loss is None or rescue.number > loss.number)
        }

    @property
    def longest_memory_ms(self) -> int:
        """The longest that a session start mattered under any of them (`memory_ms`)."""
        return max(memory_ms(rules) for rules in (self.first, *(message.rules for message in self.messages)))


def as_settings(rules: Rules) -> dict[str, str]:
    """The rules by the names of their settings, as these are written."""
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
    """What differs, by the variable that sets it: the old value and the new."""
    before, after = as_settings(old), as_settings(new)
    return {f"BOTMETER_{name.upper()}": (before[name], after[name]) for name in before if before[name] != after[name]}
