"""The campaign's brokers, with a door for each client: one broker, or three with every record on all of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.doors import Door, Doorman

from triggers.dev import child_process
from triggers.dev.broker import SHORT_LIVED, LocalKafka
from triggers.dev.ports import free_ports

_STOP_S = 20.0


class Brokers:
    """Real Kafka brokers on this machine. Not thread-safe."""

    def __init__(
        self,
        count: int,
        clients: Sequence[str],
        log_dir: Path,
        java_options: Sequence[str] = SHORT_LIVED,
        *,
        between: str | None = None,
    ) -> None:
        """`clients` are the names of the clients that get a door each.

        `between` is the one of them whose door the brokers use among themselves, a single one for requests to itself.
        """
        free = iter(free_ports(2 * count * (1 + len(clients))))
        ports = [(next(free), next(free)) for _ in range(count)]
        doors = {name: {next(free): next(free) for _ in range(count)} for name in clients}
        doorman = Doorman()
        self._nodes = [
            LocalKafka(
                log_dir / f"broker-{n}.log",
                "512m",
                ports[n],
                _cluster(n, ports)
                | _listeners(ports[n], {name: list(d.items())[n] for name, d in doors.items()})
                | ({"inter.broker.listener.name": _listener_of(between)} if between else {}),
                java_options,
            )
            for n in range(count)
        ]
        self.addresses = ",".join(node.address for node in self._nodes)
        """The addresses of the brokers themselves, without a door."""
        self.doors = {name: Door(doorman, found) for name, found in doors.items()}
        self._door_addresses = {
            name: ",".join(f"127.0.0.1:{listening}" for listening in found) for name, found in doors.items()
        }

    def addresses_behind(self, client: str) -> str:
        """Returns the addresses to which a client with a door must connect."""
        return self._door_addresses[client]

    def __len__(self) -> int:
        return len(self._nodes)

    def start(self) -> None:
        """Starts all brokers and waits until they answer."""
        for node in self._nodes:
            node.launch()
        for node in self._nodes:
            node.wait_until_it_answers()

    def kill(self, number: int) -> None:
        """Sends SIGKILL to a broker."""
        self._nodes[number].kill()

    def launch(self, number: int) -> None:
        """Starts a broker again, without waiting for it."""
        self._nodes[number].launch()

    def shut_down(self, number: int) -> None:
        """Sends SIGTERM. The broker hands over its leaderships before it ends."""
        if (process := self._nodes[number].process) is not None:
            child_process.stop(process, _STOP_S)

    def freeze(self, number: int) -> None:
        """Sends SIGSTOP. Connections stay open, but the broker does not answer."""
        self._signal(number, signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Sends SIGCONT. The broker continues."""
        self._signal(number, signal.SIGCONT)

    def stop(self) -> None:
        """Stops all brokers and deletes their data."""
        for node in self._nodes:
            node.stop()

    def _signal(self, number: int, which: signal.Signals) -> None:
        """Signals a broker, unless it has been killed because it was frozen and could not shut down."""
        process = self._nodes[number].process
        if process is not None and process.poll() is None:
            process.send_signal(which)


@contextmanager
def running_broker_behind_a_door(client: str, log_dir: Path, *, between: str | None = None) -> Iterator[Brokers]:
    """Runs one broker with a door for one client until the block ends. `between` is that of `Brokers`."""
    brokers = Brokers(1, [client], log_dir, between=between)
    try:
        brokers.start()
        yield brokers
    finally:
        brokers.stop()


def _cluster(number: int, ports: Sequence[tuple[int, int]]) -> dict[str, str]:
    replicas = str(min(len(ports), 3))
    return {
        "node.id": str(number + 1),
        "controller.quorum.voters": ",".join(f"{n + 1}@127.0.0.1:{c}" for n, (_, c) in enumerate(ports)),
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": str((len(ports) + 1) // 2),
        "leader.imbalance.check.interval.seconds": "5",
        "leader.imbalance.per.broker.percentage": "0",
        "broker.session.timeout.ms": "12000",
        "broker.heartbeat.interval.ms": "1000",
        "controlled.shutdown.enable": "true",
    }


def _listener_of(client: str) -> str:
    return client.upper().replace("-", "")


def _listeners(internal: tuple[int, int], doors: dict[str, tuple[int, int]]) -> dict[str, str]:
    """Returns listeners with which a broker directs each client to the door that the client came through."""
    port, controller = internal
    names = {name: _listener_of(name) for name in doors}
    inner = [f"{names[name]}://127.0.0.1:{behind}" for name, (_, behind) in doors.items()]
    outer = [f"{names[name]}://127.0.0.1:{listening}" for name, (listening, _) in doors.items()]
    plain = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *names.values())]
    return {
        "listeners": ",".join([f"PLAINTEXT://127.0.0.1:{port}", f"CONTROLLER://127.0.0.1:{controller}", *inner]),
        "advertised.listeners": ",".join([f"PLAINTEXT://127.0.0.1:{port}", *outer]),
        "listener.security.protocol.map": ",".join(plain),
    }
