"""A TCP proxy before a broker, which can hold back what the two sides say to each other."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType
from typing import Final, Self

_FETCH: Final = 1
_CHUNK: Final = 65_536


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

    def release(self) -> None:
        """All that was held back comes through, in order, however old it is by now."""
        self._fetches_flow.set()
        self._all_flows.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # it has ended
                return
            if self.target is None:
                client.close()
                continue
            broker = socket.create_connection(("127.0.0.1", self.target))
            self._sockets += [client, broker]
            fetches = threading.Event()
            threading.Thread(target=self._requests, args=[client, broker, fetches], daemon=True).start()
            threading.Thread(target=self._responses, args=[broker, client, fetches], daemon=True).start()

    def _requests(self, client: socket.socket, broker: socket.socket, fetches: threading.Event) -> None:
        """Passes requests on one by one: four bytes of length, then two that tell what is asked."""
        try:
            while head := _exactly(client, 4):
                request = _exactly(client, struct.unpack(">i", head)[0])
                if struct.unpack(">h", request[:2])[0] == _FETCH:
                    fetches.set()
                self._all_flows.wait()
                broker.sendall(head + request)
        except OSError:
            pass
        _end(broker)

    def _responses(self, broker: socket.socket, client: socket.socket, fetches: threading.Event) -> None:
        try:
            while said := broker.recv(_CHUNK):
                if fetches.is_set():
                    self._fetches_flow.wait()
                self._all_flows.wait()
                client.sendall(said)
        except OSError:
            pass
        _end(client)


def _exactly(source: socket.socket, size: int) -> bytes:
    """So many bytes; fewer at the end of the stream."""
    got = b""
    while len(got) < size and (more := source.recv(size - len(got))):
        got += more
    return got


def _end(to: socket.socket) -> None:
    try:
        to.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended already
        return
