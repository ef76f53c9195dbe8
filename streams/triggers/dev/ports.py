"""Finds free TCP ports on this machine."""

from __future__ import annotations

import random
import socket
from collections import deque

_LOWEST, _HIGHEST = 20_000, 32_000
"""The range of ports, below those that operating systems use for outgoing connections.

While a broker is down, a client that reconnects to a port of that range can get the same port as its local one. It then
connects to itself, and the broker cannot start again.
"""
_MAX_CLAIMS = 100
_claims = deque[int]()
"""File descriptors of the claims. The operating system closes them when the process ends."""


def free_ports(count: int) -> list[int]:
    """Return different ports on which no process listens. No other caller gets them while this process lives.

    A process keeps claims on its last 100 ports only: by then, services listen on the earlier ones.
    """
    return [_claim_port() for _ in range(count)]


def preferred_ports(*wanted: int) -> list[int]:
    """Return the wanted ports, and free ones instead of those on which somebody listens or that another stack has."""
    return [port if _claim(port) else _claim_port() for port in wanted]


def _claim_port() -> int:
    while True:
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311  # not a secret
        if _claim(port):
            return port


def _claim(port: int) -> bool:
    claim = socket.socket(type=socket.SOCK_DGRAM)
    try:
        claim.bind(("127.0.0.1", port))
        _check_that_nobody_listens(port)
    except OSError:
        claim.close()
        return False
    _remember(claim)
    return True


def _check_that_nobody_listens(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection does not block a port
        probe.bind(("127.0.0.1", port))


def _remember(claim: socket.socket) -> None:
    """Keep a datagram socket on the port as the claim: TCP services can still listen, and it ends with the process."""
    _claims.append(claim.detach())
    if len(_claims) > _MAX_CLAIMS:
        socket.close(_claims.popleft())
