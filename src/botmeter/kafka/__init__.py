"""Kafka clients: how they are made, what their errors ask for, what is asked of a cluster, and its topics."""
