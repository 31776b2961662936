"""TCP ports for a server that is not started yet."""

from __future__ import annotations

import random
import socket

#: Below the range that Linux (from 32768) and macOS (from 49152) use for outgoing connections: otherwise a client that
#: reconnects while the broker is down could get the broker's port as its own, and keep it.
PORTS = range(20_000, 32_768)


def free_ports(count: int) -> list[int]:
    """Returns different ports of 127.0.0.1 that are free now; another process may take one before it is bound."""
    candidates = random.sample(PORTS, k=len(PORTS))
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]


def is_free(port: int) -> bool:
    """Returns whether this port of 127.0.0.1 is free now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
