"""Starts services of docker-compose.yml as processes of this machine: their commands, with their environment.

Names and ports of containers become those of this machine, and their folders become folders of the test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from triggers.dev.broker import SHORT_LIVED, LocalKafka
from triggers.dev.ports import free_ports

ROOT = Path(__file__).parents[2]
_HOST = re.compile(r"\b([a-z][a-z-]+):(\d{4,5})\b")
_PROGRAMS = {"triggers": ("-m", "triggers.cli"), "celery": ("-m", "celery"), "python": ()}
_KAFKA = "KAFKA_"
_LOWEST_PORT = 1024


class ComposeServices:
    """The services of the file. `stop` ends those that were started, in reverse order."""

    def __init__(self, folder: Path, secrets: Path) -> None:
        """`secrets` is the folder that `make-secrets.sh` has made. `folder` gets logs and data."""
        self._file: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self._folder = folder
        self._secrets = secrets
        self._ports: dict[tuple[str, str], int] = {}
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def names(self) -> set[str]:
        """The services of the profile `secured`."""
        return {name for name, each in self._file["services"].items() if "secured" in each.get("profiles", ())}

    def environment(self, service: str) -> dict[str, str]:
        """Returns the environment of a service on this machine."""
        values = self._file["services"][service].get("environment", {})
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRIGGERS_", "KAFKA_"))}
        search = os.pathsep.join([str(ROOT / "examples"), *filter(None, [os.environ.get("PYTHONPATH")])])
        return clean | {"PYTHONPATH": search} | {name: self._here(service, text) for name, text in values.items()}

    def run(self, service: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the service's command, or another one, to its end, with additional variables."""
        environment = self.environment(service) | variables
        return subprocess.run(
            self._command(service, command), env=environment, capture_output=True, text=True, check=False
        )

    def start(self, service: str, **variables: str) -> None:
        """Starts the service's command, with additional variables."""
        with self.log(service).open("wb") as log:
            started = subprocess.Popen(
                self._command(service, ()), env=self.environment(service) | variables, stdout=log, stderr=log
            )
        self._running.append(started)

    def broker(self, service: str) -> LocalKafka:
        """Returns the broker with the properties that its image makes of the environment, not started yet."""
        values = self._file["services"][service]["environment"]
        texts = {name: self._here(service, text) for name, text in values.items() if name.startswith(_KAFKA)}
        named = {_property_of(name): text for name, text in texts.items()}
        named["listeners"] = self._listeners(service, named["listeners"])
        named["log.dirs"] = str(self._folder / "kafka")
        return LocalKafka(
            log=self.log(service),
            properties=named,
            java_options=SHORT_LIVED,
            data=self._folder / "kafka",
            loggers={"kafka.authorizer.logger": "INFO"},
        )

    def address(self, service: str, port: str) -> str:
        """Returns where a port of a service is on this machine."""
        if (service, port) not in self._ports:
            (self._ports[service, port],) = free_ports(1)
        return f"localhost:{self._ports[service, port]}"

    def log(self, service: str) -> Path:
        """Returns the file of what a service prints."""
        return self._folder / f"{service}.log"

    def stop(self) -> None:
        """Ends all processes, and waits for them."""
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            process.wait(60)

    def _command(self, service: str, other: tuple[str, ...]) -> list[str]:
        program, *arguments = other or self._file["services"][service]["command"]
        return [sys.executable, *_PROGRAMS[program], *(self._argument(service, each) for each in arguments)]

    def _argument(self, service: str, text: str) -> str:
        """Returns an argument on this machine. One that is a number is a port on which the service listens."""
        if text.isdigit() and int(text) > _LOWEST_PORT:
            return self.address(service, text).rpartition(":")[2]
        return self._here(service, text)

    def _here(self, service: str, text: str) -> str:
        """Replaces hosts, and paths of secrets and volumes, by those of this machine."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")
        text = _HOST.sub(lambda each: self._known(each[1], each[2]) or each[0], text)
        for secret in self._file["services"][service].get("secrets", ()):
            source = Path(self._file["secrets"][secret]["file"]).name
            text = re.sub(rf"/run/secrets/{secret}$", str(self._secrets / source), text)
        text = re.sub(r"^/run/secrets$", str(self._secrets), text)
        text = re.sub(r"^/secured/", f"{ROOT}/deploy/secured/", text)
        return re.sub(r"^/data$", str(self._folder / f"data-of-{service}"), text)

    def _known(self, name: str, port: str) -> str:
        return self.address(name, port) if name in self._file["services"] else ""

    def _listeners(self, service: str, listeners: str) -> str:
        return re.sub(r"://:(\d+)", lambda each: f"://{self.address(service, each[1])}", listeners)


def _property_of(variable: str) -> str:
    """Returns the property that a variable of Kafka's image stands for."""
    name = variable.removeprefix(_KAFKA).lower().replace("_", ".")
    return name.replace("...", "-").replace("..", "_")
