"""What turns records into transactions: batches, tasks, the commit protocol, restore, the local store, Kafka clients.

confluent_kafka and rocksdict are imported here and nowhere above; nothing here knows of Faust, the web or the terminal.
"""
