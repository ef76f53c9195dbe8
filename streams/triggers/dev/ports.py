"""Free TCP ports of this machine."""

from __future__ import annotations

import random
import socket
from collections import deque

_LOWEST, _HIGHEST = 20_000, 32_000
"""Below what operating systems hand out to outgoing connections: while a broker is down, a client that keeps knocking
at such a port can be given that very port as its own, connect to itself and keep the broker from coming back."""
_MOST_CLAIMS = 100
_claims = deque[int]()
"""File descriptors: nobody closes them at the end but the system."""


def free_ports(count: int) -> list[int]:
    """Different ports on which nobody listens now, and that no other caller is given while this process lives.

    A process that asks for many ports claims the last 100: what it has started on the others listens by then.
    """
    return [_claim_port() for _ in range(count)]


def _claim_port() -> int:
    while True:
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311  # not a secret
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            _check_that_nobody_listens(port)
        except OSError:
            claim.close()
        else:
            _remember(claim)
            return port


def _check_that_nobody_listens(port: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def _remember(claim: socket.socket) -> None:
    """The datagram socket of the same number is the claim: it keeps nobody from listening and ends with its process."""
    _claims.append(claim.detach())
    if len(_claims) > _MOST_CLAIMS:
        socket.close(_claims.popleft())
