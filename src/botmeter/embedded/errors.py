"""The error of the embedded Apache Kafka."""

from __future__ import annotations

from botmeter.errors import ConfigurationError


class EmbeddedKafkaUnavailable(ConfigurationError):  # noqa: N818 - named by the state that the caller must handle
    """The embedded Apache Kafka is not available on this machine, or did not start.

    Recovery: exit with the message. Operator action: what the message says, such as installing a package or giving the
    machine access to the network.
    """

    exit_code = 3
