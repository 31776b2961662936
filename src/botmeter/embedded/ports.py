"""TCP ports for a server that has yet to be started."""

from __future__ import annotations

import random
import socket

#: Below the range from which Linux (32768 on) and macOS (49152 on) take the ports of outgoing connections:
#: otherwise a client that reconnects while the broker is down could be given the broker's port as its own,
#: and keep it.
PORTS = range(20_000, 32_768)


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody uses at this moment; somebody may before they are bound."""
    candidates = random.sample(PORTS, k=len(PORTS))
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1 at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
