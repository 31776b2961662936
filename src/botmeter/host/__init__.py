"""The Faust app around the engine: the service that feeds, the agent that meters, health and metrics."""
