"""Downloads Restate's server from npm and runs it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from benchmarks.processes import Running, run_command
from triggers.dev.ports import free_ports
from triggers.errors import BrokerUnavailable, SettingsError
from triggers.settings import cache_dir

_LOCK = Path(__file__).parent / "restate"
"""Folder of package.json and of the lock, which has the checksums."""
_START_S = 60.0
_MACHINES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_CONFIG = """\
base-dir = "{folder}"
bind-port = {node}
disable-telemetry = true
[admin]
bind-port = {admin}
[ingress]
bind-port = {ingress}
[[ingress.kafka-clusters]]
name = "kafka"
brokers = ["PLAINTEXT://{brokers}"]
"""


def find_server() -> Path:
    """Returns the server's binary. The first call downloads it (some 60 MB). Raises SettingsError."""
    home = cache_dir() / "bench" / "restate-server"
    system = f"{platform.system().lower()}-{_MACHINES.get(platform.machine(), platform.machine())}"
    binary = home / "node_modules" / "@restatedev" / f"restate-server-{system}" / "bin" / "restate-server"
    if not binary.exists():
        if shutil.which("npm") is None:
            raise SettingsError("npm is missing: install Node.js (Debian: apt-get install npm)")
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_LOCK / name, home / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not binary.exists():
            raise SettingsError(f"npm could not install Restate's server for {system}:\n{done.stderr[-2000:]}")
    return binary


@contextmanager
def run_restate(folder: Path, brokers: str) -> Iterator[tuple[Running, str]]:
    """Starts a server that reads from the brokers, and yields it and the URL of its admin API."""
    node, admin, ingress = free_ports(3)
    config = folder / "restate.toml"
    data = folder / "restate-data"
    config.write_text(_CONFIG.format(folder=data, node=node, admin=admin, ingress=ingress, brokers=brokers))
    with run_command("restate-server", [str(find_server()), "--no-logo", "-c", str(config)], folder) as server:
        yield server, f"http://127.0.0.1:{admin}"


def register(server: Running, admin: str, service: str, topic: str, handler: str) -> None:
    """Registers the service as soon as both answer, and sends it the records of a topic. Raises BrokerUnavailable."""
    _post_until_accepted(server, f"{admin}/deployments", {"uri": service})
    subscription = {
        "source": f"kafka://kafka/{topic}",
        "sink": f"service://{handler}",
        "options": {"auto.offset.reset": "earliest"},
    }
    _post_until_accepted(server, f"{admin}/subscriptions", subscription)


def _post_until_accepted(server: Running, url: str, body: Mapping[str, object]) -> None:
    deadline, answer = time.monotonic() + _START_S, "nothing"
    while time.monotonic() < deadline:
        server.check()
        request = urllib.request.Request(  # noqa: S310  # the URL is our own
            url, msgspec.json.encode(body), {"Content-Type": "application/json"}
        )
        with suppress(urllib.error.URLError, ConnectionError):
            try:
                urllib.request.urlopen(request, timeout=30).close()  # noqa: S310  # the URL is our own
            except urllib.error.HTTPError as error:
                answer = error.read().decode(errors="replace")
            else:
                return
        time.sleep(0.2)
    raise BrokerUnavailable(f"Restate does not accept {body} at {url}; its last answer was {answer}")
