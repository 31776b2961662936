"""librdkafka options given as BOTMETER_KAFKA__*: their names, which are refused, and which are secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

KAFKA_PREFIX: Final = "BOTMETER_KAFKA__"

_OWN_OFFSETS: Final = "offsets are committed only inside the transaction that holds their results"
_OWN_SETTING: Final = "use {} instead"
#: librdkafka options that would break exactly-once or the contract, with the reason.
REFUSED_OPTIONS: Final[Mapping[str, str]] = {
    "acks": "a transaction needs the acknowledgement of all in-sync replicas",
    "allow.auto.create.topics": "`botmeter topics create` creates topics, with the right partitions and clean-up",
    "auto.offset.reset": "a lost offset must stop the worker, not skip or repeat what is billed",
    "bootstrap.servers": _OWN_SETTING.format("BOTMETER_BOOTSTRAP_SERVERS"),
    "enable.auto.commit": _OWN_OFFSETS,
    "enable.auto.offset.store": _OWN_OFFSETS,
    "enable.idempotence": "without it a retried request is billed twice",
    "enable.partition.eof": "a restore needs it to find its end",
    "group.id": _OWN_SETTING.format("BOTMETER_GROUP"),
    "isolation.level": "records of aborted transactions must never be read",
    "metadata.broker.list": _OWN_SETTING.format("BOTMETER_BOOTSTRAP_SERVERS"),
    "partition.assignment.strategy": "partitions of both inputs move together only with cooperative-sticky",
    "partitioner": "the partition of an account is part of the contract (murmur2)",
    "request.required.acks": "a transaction needs the acknowledgement of all in-sync replicas",
    "transaction.timeout.ms": _OWN_SETTING.format("BOTMETER_TRANSACTION_TIMEOUT_MS"),
    "transactional.id": _OWN_SETTING.format("BOTMETER_INSTANCE"),
}

_SECRET: Final = re.compile(r"password|passphrase|secret|token|key\.pem|oauthbearer\.config|sasl\.jaas")


def redacted(options: Mapping[str, str]) -> dict[str, str]:
    """Returns client options without secrets, for printing."""
    return {option: "***" if _SECRET.search(option) else value for option, value in options.items()}


def kafka_variable(option: str) -> str:
    """Returns the environment variable of a librdkafka option."""
    return KAFKA_PREFIX + option.replace(".", "_").upper()


def flattened(options: Mapping[str, object], above: str = "") -> Iterable[tuple[str, object]]:
    """Yields options with dotted names: in TOML an unquoted `security.protocol` is a table in a table."""
    for name, value in options.items():
        option = f"{above}{name}".lower()
        if isinstance(value, Mapping):
            yield from flattened(value, above=f"{option}.")
        elif isinstance(value, bool):
            yield option, "true" if value else "false"
        else:
            yield option, str(value) if isinstance(value, int | float) else value
