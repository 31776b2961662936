"""The demo: the whole system on an embedded Apache Kafka with simulated traffic, watched live, proved at the end."""
