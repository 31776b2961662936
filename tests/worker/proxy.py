"""A TCP proxy before a broker, which can hold back or lose what the two sides say to each other."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from types import TracebackType
from typing import Final, Self

#: Requests by their numbers in Kafka's protocol.
_FETCH: Final = 1
ADD_OFFSETS_TO_TXN: Final = 25
END_TXN: Final = 26
TXN_OFFSET_COMMIT: Final = 28


class Proxy:
    """Listens at a port of its own from the beginning; a context manager. Connections are served by threads."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: Where clients find it.
        self.port: int = self._listener.getsockname()[1]
        #: Where the broker listens; until it is set, clients are turned away.
        self.target: int | None = None
        self._fetches_flow, self._all_flows = threading.Event(), threading.Event()
        self.release()
        self._lock = threading.Lock()
        self._to_lose, self._to_keep, self._to_cut = Counter[int](), Counter[int](), Counter[int]()
        self._kept: list[tuple[_Conversation, bytes]] = []
        #: How many answers were lost, requests kept, and requests cut off so far, by the request's number.
        self.lost, self.kept, self.cut_off = Counter[int](), Counter[int](), Counter[int]()
        self._sockets: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
        _end(self._listener)  # else accept would not notice that it is closed
        self._accepting.join()
        for each in [self._listener, *self._sockets]:
            _end(each)
            each.close()

    def hold_fetches(self) -> None:
        """From now on, nobody who has ever fetched through it hears anything; all others do."""
        self._fetches_flow.clear()

    def cut(self) -> None:
        """From now on, nothing comes through, either way; connections stay open, as in a network that loses it all."""
        self._all_flows.clear()

    def cut_at(self, request: int) -> None:
        """Like `cut`, from the next of these requests on, which is lost with its connection."""
        self._to_cut[request] += 1

    def release(self) -> None:
        """All that was held back comes through, in order, however old it is by now."""
        self._fetches_flow.set()
        self._all_flows.set()

    def lose_answers(self, request: int, times: int) -> None:
        """The broker carries out so many more of these requests; who asked hears but the end of the connection."""
        self._to_lose[request] += times

    def keep_requests(self, request: int, times: int) -> None:
        """So many more of these requests lie in the network until `deliver`; who asked loses the connection."""
        self._to_keep[request] += times

    def deliver(self) -> None:
        """What was kept comes to the broker; returns when the broker has answered it."""
        while self._kept:
            between, request = self._kept.pop()
            between.broker.sendall(request)
            between.has_ended.wait()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # it has ended
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self.target or 0))
            except OSError:  # it does not run yet, or any more
                client.close()
                continue
            self._sockets += [client, broker]
            conversation = _Conversation(client, broker)
            threading.Thread(target=self._requests, args=[conversation], daemon=True).start()
            threading.Thread(target=self._responses, args=[conversation], daemon=True).start()

    def _requests(self, between: _Conversation) -> None:
        """Passes requests on one by one: four bytes of length, two that tell what is asked, two, four that name it."""
        try:
            while head := _exactly(between.client, 4):
                request = _exactly(between.client, struct.unpack(">i", head)[0])
                kind: int = struct.unpack(">h", request[:2])[0]
                if kind == _FETCH:
                    between.fetches.set()
                if self._befalls(kind, self._to_lose, self.lost):
                    between.unanswered.add(request[4:8])
                if self._befalls(kind, self._to_cut, self.cut_off):
                    self.cut()
                    break
                self._all_flows.wait()
                if self._befalls(kind, self._to_keep, self.kept):
                    between.unanswered.add(request[4:8])
                    self._kept.append((between, head + request))
                    _end(between.client)
                    return
                between.broker.sendall(head + request)
        except OSError:
            pass
        _end(between.broker)
        _end(between.client)

    def _befalls(self, kind: int, still: Counter[int], done: Counter[int]) -> bool:
        with self._lock:
            if not still[kind]:
                return False
            still[kind] -= 1
            done[kind] += 1
            return True

    def _responses(self, between: _Conversation) -> None:
        """Passes answers on one by one: four bytes of length, then four that name the request."""
        try:
            while head := _exactly(between.broker, 4):
                answer = _exactly(between.broker, struct.unpack(">i", head)[0])
                if between.fetches.is_set():
                    self._fetches_flow.wait()
                self._all_flows.wait()
                if answer[:4] in between.unanswered:
                    break
                between.client.sendall(head + answer)
        except OSError:
            pass
        between.has_ended.set()
        _end(between.client)


class _Conversation:
    """One client and the broker."""

    def __init__(self, client: socket.socket, broker: socket.socket) -> None:
        self.client, self.broker = client, broker
        #: Whether the client has ever fetched.
        self.fetches = threading.Event()
        #: Whether the broker says no more.
        self.has_ended = threading.Event()
        #: The names of the requests whose answers are to be lost.
        self.unanswered: set[bytes] = set()


def _exactly(source: socket.socket, size: int) -> bytes:
    """So many bytes; fewer at the end of the stream."""
    got = bytearray()
    while len(got) < size and (more := source.recv(size - len(got))):
        got += more
    return bytes(got)


def _end(to: socket.socket) -> None:
    try:
        to.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended already
        return
