"""Free TCP ports of this machine."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

_LOWEST, _HIGHEST = 20_000, 32_000
"""Below what operating systems hand out to outgoing connections: while a broker is down, a client that keeps knocking
at such a port can be given that very port as its own, connect to itself and keep the broker from coming back."""


def free_ports(count: int) -> list[int]:
    """Different ports on which nobody listens now; somebody else may take one before you do."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(_bound_socket()) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _bound_socket() -> socket.socket:
    while True:
        one = socket.socket()
        with suppress(OSError):
            one.bind(("127.0.0.1", random.randint(_LOWEST, _HIGHEST)))  # noqa: S311  # not a secret
            return one
        one.close()
