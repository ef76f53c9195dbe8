"""Starts each system with as many processes as the comparison gives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.compiled import agent_environment
from benchmarks.contenders import TWO_AGENTS
from benchmarks.delivery import await_records, create_installation
from benchmarks.environments import python_of
from benchmarks.latency import celery_worker
from benchmarks.peers.postgres import find_postgres, run_postgres
from benchmarks.peers.restate_server import find_server, register, run_restate
from benchmarks.peers.site import Peer, Site
from benchmarks.peers.tally import FOLDER
from benchmarks.processes import Running, find_broker, run_python
from benchmarks.redis_server import find_redis, run_redis_server
from triggers.codec import EventDecoder
from triggers.core.events import TaskFinished
from triggers.dev.example import example_rules
from triggers.dev.ports import free_ports
from triggers.settings import Settings
from triggers.storages.published_rules import publish_rules
from triggers.topology import Topology

PUBLISHER = "benchmarks.peers.on_kafka.fire"
TWO_PROCESSES = "-c2"
_START_S = 60.0

_decoder = EventDecoder(max_payload_bytes=900_000)


class OnKafka:
    """Ours: two agents on eight partitions and one Celery worker with two processes."""

    name = "triggers"

    def prepare(self) -> None:
        """Does nothing, because our own programs are already here."""

    @contextmanager
    def start(self, brokers: str, folder: Path) -> Iterator[Site]:
        """Publishes the rules and starts agents and worker."""
        with ExitStack() as stack:
            settings = stack.enter_context(create_installation(brokers))
            publish_rules("questionnaire", example_rules(), is_default=True, settings=settings)
            agents = stack.enter_context(TWO_AGENTS.start(settings, folder))
            env = agent_environment() | {FOLDER: str(folder)}
            app = "benchmarks.peers.on_kafka.tasks"
            worker = stack.enter_context(celery_worker(settings, folder, TWO_PROCESSES, app=app, **env))
            events = Topology(settings.namespace).events
            yield Site(
                folder=folder,
                caller=["-m", PUBLISHER, brokers, events],
                processes={"agents": agents.process, "celery": worker.process} | _broker(),
                programs=[agents, worker],
                await_results=lambda tasks: await_records(settings, events, worker, tasks, _is_result).times[-1],
            )


class CeleryByHand:
    """One Celery worker with two processes, and a Redis that writes nothing to disk."""

    name = "Celery by hand"

    def prepare(self) -> None:
        """Raises BrokerUnavailable if there is no Redis."""
        find_redis()

    @contextmanager
    def start(self, brokers: str, folder: Path) -> Iterator[Site]:  # noqa: ARG002  # it uses no Kafka
        """Starts Redis and the worker."""
        with ExitStack() as stack:
            url, redis = stack.enter_context(run_redis_server(folder))
            env = {"PEERS_REDIS": url, FOLDER: str(folder)}
            app = "benchmarks.peers.celery_by_hand.application"
            worker = stack.enter_context(celery_worker(Settings(), folder, TWO_PROCESSES, app=app, **env))
            yield Site(
                folder=folder,
                caller=["-m", "benchmarks.peers.celery_by_hand.fire"],
                processes={"celery": worker.process, "redis": redis.process},
                programs=[worker, redis],
                env=env,
            )


class Restate:
    """The server with its defaults, one process with the service, and events from Kafka."""

    name = "Restate"

    def prepare(self) -> None:
        """Downloads the server from npm and the SDK from PyPI. Raises SettingsError."""
        find_server()
        python_of("restate")

    @contextmanager
    def start(self, brokers: str, folder: Path) -> Iterator[Site]:
        """Starts server and service, registers the service and subscribes it to the events."""
        with ExitStack() as stack:
            settings = stack.enter_context(create_installation(brokers))
            events = Topology(settings.namespace).events
            (port,) = free_ports(1)
            service = stack.enter_context(_restate_service(port, folder))
            server, admin = stack.enter_context(run_restate(folder, brokers))
            register(server, admin, f"http://127.0.0.1:{port}", events, "Questionnaire/fire")
            yield Site(
                folder=folder,
                caller=["-m", PUBLISHER, brokers, events],
                processes={"server": server.process, "sdk": service.process} | _broker(),
                programs=[server, service],
            )


class Dbos:
    """One process with the workflows, and PostgreSQL with its defaults."""

    name = "DBOS"

    def prepare(self) -> None:
        """Downloads the library from PyPI. Raises SettingsError if PostgreSQL is missing."""
        find_postgres()
        python_of("dbos")

    @contextmanager
    def start(self, brokers: str, folder: Path) -> Iterator[Site]:  # noqa: ARG002  # it uses no Kafka
        """Starts PostgreSQL and the application."""
        with ExitStack() as stack:
            url, postgres = stack.enter_context(run_postgres(folder))
            arguments = ["-m", "benchmarks.peers.dbos.workflows", url]
            python, env = python_of("dbos"), {FOLDER: str(folder)}
            application = stack.enter_context(run_python("dbos", arguments, folder, python=python, env=env))
            _await_word(application, "ready")
            yield Site(
                folder=folder,
                caller=["-m", "benchmarks.peers.dbos.fire", url],
                processes={"application": application.process, "postgres": postgres.process},
                programs=[application, postgres],
                python=python,
            )


OURS = OnKafka()
PEERS: tuple[Peer, ...] = (OURS, Restate(), CeleryByHand(), Dbos())


def _restate_service(port: int, folder: Path) -> AbstractContextManager[Running]:
    arguments = ["-m", "hypercorn", "benchmarks.peers.restate.service:app", "--worker-class", "uvloop"]
    arguments += ["--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    return run_python("restate-sdk", arguments, folder, python=python_of("restate"), env={FOLDER: str(folder)})


def _await_word(program: Running, word: str) -> None:
    """Waits until the program has printed a word. Raises RuntimeError."""
    deadline = time.monotonic() + _START_S
    while word not in program.log.read_text(errors="replace"):
        program.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"{program.name} has not said {word!r} within {_START_S:.0f} s")
        time.sleep(0.1)


def _broker() -> dict[str, psutil.Process]:
    broker = find_broker()
    return {"broker": broker} if broker else {}


def _is_result(value: bytes) -> bool:
    return isinstance(_decoder.decode(value, None, 0, 0), TaskFinished)
