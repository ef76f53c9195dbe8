"""Ports for services that are started next."""

from __future__ import annotations

import socket

import pytest

from triggers.dev.ports import free_ports


def test_ports_asked_for_together_are_different() -> None:
    ports = free_ports(50)

    assert len(set(ports)) == 50


def test_a_port_on_which_somebody_listens_is_never_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        low = taken.getsockname()[1]
        monkeypatch.setattr("triggers.dev.ports._LOWEST", low)
        monkeypatch.setattr("triggers.dev.ports._HIGHEST", low + 30)

        assert low not in free_ports(8)


def test_ports_are_none_that_an_outgoing_connection_can_be_given() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        outgoing = client.getsockname()[1]

    assert max(free_ports(50)) < outgoing
