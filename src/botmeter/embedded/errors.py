"""What can be wrong with the embedded Apache Kafka."""

from __future__ import annotations

from botmeter.errors import ConfigurationError


class EmbeddedKafkaUnavailable(ConfigurationError):  # noqa: N818 - named by what the caller has to live with
    """The embedded Apache Kafka cannot be had on this machine, or did not start.

    Recovery: exit with the message. Operator action: what the message says, such as installing a package or
    letting the machine reach the network.
    """

    exit_code = 3
