"""Runs a PostgreSQL with its defaults on a fresh folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import Running, run_command
from triggers.dev.ports import free_ports
from triggers.errors import BrokerUnavailable, SettingsError

_START_S = 30.0
DEBIAN = Path("/usr/lib/postgresql")


def find_postgres() -> Path:
    """Returns the folder of initdb and postgres. Raises SettingsError."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(DEBIAN.glob("*/bin/initdb"))
    if not installed:
        raise SettingsError("PostgreSQL is missing: install it (Debian: apt-get install postgresql)")
    return installed[-1].parent


@contextmanager
def run_postgres(folder: Path) -> Iterator[tuple[str, Running]]:
    """Starts a server, yields the URL of a database and its process, and kills it at the end.

    PostgreSQL refuses to run as root, so root starts it as the user that Debian's package creates.
    Raises BrokerUnavailable.
    """
    binaries, data = find_postgres(), folder / "postgres"
    data.mkdir()
    if _is_root():
        shutil.chown(data, "postgres")
        folder.chmod(0o711)
    _run([str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"])
    (port,) = free_ports(1)
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with run_command(
        "postgres", _as_its_user([str(binaries / "postgres"), "-D", str(data), *options]), folder
    ) as server:
        _await(binaries, port, server)
        _run([str(binaries / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "peers"])
        yield f"postgresql://postgres@127.0.0.1:{port}/peers", server


def _await(binaries: Path, port: int, server: Running) -> None:
    command = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        server.check()
        if subprocess.run(command, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise BrokerUnavailable(f"PostgreSQL on port {port} does not answer")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(_as_its_user(command), capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise BrokerUnavailable(f"{command[0]} has failed:\n{done.stderr[-2000:]}")


def _as_its_user(command: Sequence[str]) -> list[str]:
    if not _is_root():
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


def _is_root() -> bool:
    return os.geteuid() == 0
