"""The topics as data: names, directions, configuration, and which partition a key belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from struct import Struct
from typing import Final, Literal

from botmeter.domain.prices import DAY_MS

Direction = Literal["in", "out", "internal"]

_MEBIBYTE: Final = 1_048_576
_MASK: Final = 0xFFFF_FFFF
_MURMUR2_SEED: Final = 0x9747_B28C
_MURMUR2_FACTOR: Final = 0x5BD1_E995


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; `config` has the options that differ from the broker's defaults, or must not depend on them."""

    name: str
    direction: Direction
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one installation. All are keyed by account_id and have the same number of partitions."""

    interactions: Topic
    commands: Topic
    journal: Topic
    balances: Topic
    alerts: Topic
    handoffs: Topic
    command_results: Topic
    dead_letters: Topic
    deliveries: Topic
    snapshots: Topic
    rules: Topic

    @classmethod
    def named(
        cls, prefix: str = "botmeter.", interactions: str = "chat.interactions", commands: str = "billing.commands"
    ) -> Topics:
        """Returns the topics with the names of this installation; each output's name starts with `prefix`."""
        return cls(
            interactions=Topic(interactions, "in", _input(retention_ms=7 * DAY_MS)),
            commands=Topic(commands, "in", _input(retention_ms=30 * DAY_MS)),
            # Kept whole: the source of truth must not be deleted, by age or by size.
            # A record carries its event's time, which may lie days back: no setting of the cluster may refuse it.
            journal=Topic(
                f"{prefix}journal",
                "out",
                {
                    **_deleted(retention_ms=-1),
                    "retention.bytes": "-1",
                    "message.timestamp.before.max.ms": str(2**63 - 1),
                },
            ),
            balances=Topic(f"{prefix}balances", "out", _compacted(record_mebibytes=1)),
            alerts=Topic(f"{prefix}alerts", "out", _deleted(retention_ms=7 * DAY_MS)),
            handoffs=Topic(f"{prefix}handoffs", "out", _deleted(retention_ms=7 * DAY_MS)),
            command_results=Topic(f"{prefix}command-results", "out", _deleted(retention_ms=7 * DAY_MS)),
            # Larger than an input, so that an input that is too large still fits with its headers.
            dead_letters=Topic(f"{prefix}dead-letters", "out", _deleted(retention_ms=30 * DAY_MS, record_mebibytes=4)),
            # Written by the notifier, for the timeline of the billing page.
            deliveries=Topic(f"{prefix}deliveries", "out", _deleted(retention_ms=30 * DAY_MS)),
            # A whole account, with the results of its commands of 30 days (C1). A worker without traffic reads the
            # time from the broker's timestamps. Segments are small, since only closed ones are compacted.
            snapshots=Topic(
                f"{prefix}snapshots",
                "internal",
                {
                    **_compacted(record_mebibytes=8),
                    "message.timestamp.type": "LogAppendTime",
                    "segment.bytes": str(128 * _MEBIBYTE),
                },
            ),
            # Kept as long as the journal, which is recomputed by these rules; all records are on partition 0.
            rules=Topic(f"{prefix}rules", "internal", {**_deleted(retention_ms=-1), "retention.bytes": "-1"}),
        )

    def all(self) -> tuple[Topic, ...]:
        """Returns every topic, inputs first."""
        return tuple(getattr(self, field.name) for field in fields(self))


def _input(*, retention_ms: int) -> dict[str, str]:
    """Returns an input's options. The broker's clock sets each record's timestamp (`S7`, `C3`).

    The topic accepts more than the 1 MiB that a record may have: a larger record becomes a dead letter, which operators
    see, whereas a refusal by the broker is only seen by the producer.
    """
    return {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(retention_ms),
        "max.message.bytes": str(3 * _MEBIBYTE),
    }


def _deleted(*, retention_ms: int, record_mebibytes: int = 1) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "message.timestamp.type": "CreateTime",
        "retention.ms": str(retention_ms),
        "max.message.bytes": str(record_mebibytes * _MEBIBYTE),
    }


def _compacted(*, record_mebibytes: int) -> dict[str, str]:
    """Compacted and never deleted: an account without traffic for years is still an account."""
    return {
        "cleanup.policy": "compact",
        "message.timestamp.type": "CreateTime",
        "max.message.bytes": str(record_mebibytes * _MEBIBYTE),
    }


@lru_cache(maxsize=65_536)  # enough for the accounts of a busy worker; a miss costs microseconds
def partition_of(key: bytes, partitions: int) -> int:
    """Returns the partition of a key by Kafka's default partitioner, as Java and librdkafka's `murmur2_random` do."""
    return (_murmur2(key) & 0x7FFF_FFFF) % partitions


def _murmur2(data: bytes) -> int:
    """MurmurHash2 with Kafka's seed, unsigned 32 bit."""
    length = len(data)
    words, rest = divmod(length, 4)
    hashed = _MURMUR2_SEED ^ length
    for word in Struct(f"<{words}I").unpack_from(data):
        mixed = word * _MURMUR2_FACTOR & _MASK
        mixed = (mixed ^ mixed >> 24) * _MURMUR2_FACTOR & _MASK
        hashed = hashed * _MURMUR2_FACTOR & _MASK ^ mixed
    if rest:
        hashed = (hashed ^ int.from_bytes(data[words * 4 :], "little")) * _MURMUR2_FACTOR & _MASK
    hashed = (hashed ^ hashed >> 13) * _MURMUR2_FACTOR & _MASK
    return hashed ^ hashed >> 15
