"""An HTTP load of a fixed rate: requests leave when they are due, whether or not earlier ones were answered.

A latency counts from the moment a request was due, so a server that stands still is charged for everybody who waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from .processors import Processors

#: The loop counts in milliseconds; less would have it spin.
_TICK_S = 0.001
_CONNECTIONS = 64
_END_OF_HEADERS = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection kept alive; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answered: Callable[[int, bytes], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own says nothing of it

    def ask(self, request: bytes, answered: Callable[[int, bytes], None]) -> None:
        """Sends a request; `answered` is told status and body."""
        assert self._transport is not None
        assert self._answered is None
        self._answered = answered
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(_END_OF_HEADERS)
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
        if len(rest) < length or self._answered is None:
            return
        answered, self._answered, self._received = self._answered, None, rest[length:]
        answered(int(head[9:12]), rest[:length])

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None:
            raise ConnectionError(f"the server closed a connection that waited: {exc}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@dataclass
class Measured:
    """What came of a load. Latencies in milliseconds."""

    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    late_starts_ms: list[float] = field(default_factory=list)
    #: Who used them meanwhile.
    processors: str = ""

    def row(self) -> str:
        found = sorted(self.latencies_ms)
        told = "  ".join(f"{name} {percentile(found, share):.2f}" for name, share in _SHARES)
        return f"{len(found)} answers {dict(sorted(self.statuses.items()))}  {told}  (ms)"


_SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))


def percentile(ascending: Sequence[float], share: float) -> float:
    """The value that this share of all is at or below."""
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


async def until(moment_s: float) -> None:
    """Waits for a moment of `time.perf_counter`."""
    while time.perf_counter() < moment_s:  # noqa: ASYNC110 - a moment sets no event
        await asyncio.sleep(_TICK_S)


async def load(
    host: str, port: int, requests: Callable[[int], bytes], rate_per_s: float, duration_s: float
) -> Measured:
    """Sends `requests(n)` for n = 0, 1, ... at this rate for so long, and waits for the last answers."""
    sending = _Sending(requests, rate_per_s, time.perf_counter())
    for _ in range(_CONNECTIONS):
        sending.free.append((await asyncio.get_running_loop().create_connection(Connection, host, port))[1])
    connections, total, sent = list(sending.free), int(rate_per_s * duration_s), 0
    processors = Processors()
    sending.begun_s = time.perf_counter()
    while sent < total:
        due = min(total, 1 + int((time.perf_counter() - sending.begun_s) * rate_per_s))
        sending.due.extend(range(sent, due))
        sent = due
        sending.send()
        await asyncio.sleep(_TICK_S)
    while len(sending.measured.latencies_ms) < total:  # noqa: ASYNC110 - it is over within milliseconds
        await asyncio.sleep(_TICK_S)
    sending.measured.processors = processors.row()
    for connection in connections:
        connection.close()
    return sending.measured


@dataclass
class _Sending:
    """Requests that are due leave in their order, as soon as a connection is free; none is left out."""

    requests: Callable[[int], bytes]
    rate_per_s: float
    begun_s: float
    free: list[Connection] = field(default_factory=list)
    due: deque[int] = field(default_factory=deque)
    measured: Measured = field(default_factory=Measured)

    def send(self) -> None:
        while self.due and self.free:
            self._send(self.free.pop(), self.due.popleft())

    def _send(self, connection: Connection, number: int) -> None:
        due_s = self.begun_s + number / self.rate_per_s
        self.measured.late_starts_ms.append((time.perf_counter() - due_s) * 1000)

        def answered(status: int, _: bytes) -> None:
            self.measured.latencies_ms.append((time.perf_counter() - due_s) * 1000)
            self.measured.statuses[status] = self.measured.statuses.get(status, 0) + 1
            self.free.append(connection)
            self.send()

        connection.ask(self.requests(number), answered)
