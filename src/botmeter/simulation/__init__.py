"""Simulated traffic of a chat platform and its billing side: a pure model, and the code that publishes it."""
