"""The cluster, the names of botmeter's topics, and the options with which a client connects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botmeter.client_options import REFUSED_OPTIONS, redacted
from botmeter.contracts.topics import Topics
from botmeter.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

#: Options of librdkafka that are arguments of the client instead.
_OWN_ARGUMENTS: Final = {"bootstrap.servers": "bootstrap_servers", "group.id": "group", "auto.offset.reset": "start"}


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster and the names of the topics on it.

    Args:
        bootstrap_servers: brokers to start from, host:port, separated by commas.
        topics: the topics' names in this installation; `Topics.named(...)` makes others than the default ones.
        options: any other option of librdkafka, for security and tuning, such as `{"security.protocol": "SASL_SSL"}`.
        tracer_provider: OpenTelemetry's, for a span of each record that is published; None: no spans.

    Raises:
        ConfigurationError: an option would break what the contract promises.
    """

    bootstrap_servers: str = "localhost:9092"
    topics: Topics = field(default_factory=Topics.named)
    options: Mapping[str, str] = field(default_factory=dict)
    tracer_provider: TracerProvider | None = None

    def __post_init__(self) -> None:
        for option in self.options:
            if argument := _OWN_ARGUMENTS.get(option):
                raise ConfigurationError(f"option {option} cannot be set: use the argument `{argument}`")
            if reason := REFUSED_OPTIONS.get(option):
                raise ConfigurationError(f"option {option} cannot be set: {reason}")

    def __repr__(self) -> str:
        return f"Connection({self.bootstrap_servers!r}, options={redacted(self.options)})"
