"""botmeter meters bot sessions on a chat platform: an event-sourced stream processor on Apache Kafka."""
