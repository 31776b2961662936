"""Apache Kafka in memory: topics, groups and transactions behind the interface of confluent_kafka's clients.

For simulations that need thousands of clusters a minute, a clock of their own and faults at chosen moments. What it
claims of Kafka is what `test_both_brokers.py` asks of both, this one and the real one.
"""
