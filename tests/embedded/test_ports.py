"""Ports for a broker that has yet to be started."""

from __future__ import annotations

import socket

import pytest

from botmeter.embedded import ports
from botmeter.embedded.ports import PORTS, free_ports


def test_ports_differ_and_are_not_those_of_outgoing_connections() -> None:
    found = free_ports(50)

    assert len(set(found)) == 50
    assert set(found) <= set(PORTS)


def test_a_port_that_somebody_listens_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        # Others may take some of these meanwhile; drawn so often, the one that is taken is tried.
        monkeypatch.setattr(ports, "PORTS", [taken, *free_ports(9)])

        assert taken not in {port for _ in range(400) for port in free_ports(1)}
