"""Tapes: records written down as lines, run through the pure step without Kafka."""
