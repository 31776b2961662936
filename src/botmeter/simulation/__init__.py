"""Simulated traffic of a chat platform and its billing side: a pure model, and the shell that publishes it."""
