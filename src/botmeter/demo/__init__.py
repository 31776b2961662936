"""The demo: the whole system on an embedded Apache Kafka with simulated traffic, shown live and verified at the end."""
