"""Free ports for services that a test starts next."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from triggers.dev.ports import free_ports, preferred_ports


def test_ports_of_one_call_are_different() -> None:
    ports = free_ports(50)

    assert len(set(ports)) == 50


def test_a_port_that_another_process_has_claimed_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; from triggers.dev.ports import free_ports; print(*free_ports(1), flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with other:
        assert other.stdout is not None
        claimed = int(other.stdout.readline())
        monkeypatch.setattr("triggers.dev.ports._LOWEST", claimed - 10)
        monkeypatch.setattr("triggers.dev.ports._HIGHEST", claimed + 10)

        ports = free_ports(10)
        other.communicate()

    assert claimed not in ports


def test_a_process_that_asks_for_many_ports_keeps_few_sockets_open() -> None:
    before = len(list(Path("/dev/fd").iterdir()))

    for _ in range(300):
        free_ports(1)

    assert len(list(Path("/dev/fd").iterdir())) - before <= 100


def test_a_port_on_which_a_process_listens_is_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        low = taken.getsockname()[1]
        monkeypatch.setattr("triggers.dev.ports._LOWEST", low)
        monkeypatch.setattr("triggers.dev.ports._HIGHEST", low + 30)

        assert low not in free_ports(8)


def test_ports_are_below_those_of_outgoing_connections() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        outgoing = client.getsockname()[1]

    assert max(free_ports(50)) < outgoing


def test_a_wanted_port_is_taken_if_nobody_has_it() -> None:
    [wanted] = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]

        first, second = preferred_ports(busy, wanted + 1)

    assert first != busy
    assert second == wanted + 1
