"""Starts the installation of a campaign: brokers, agents, Celery workers, Redis and producers."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tests.chaos.brokers import Brokers
from tests.chaos.disks import Disk
from tests.chaos.plan import Plan
from tests.chaos.processes import AgentMachine, CeleryMachine, Machine
from tests.chaos.producers import Bursty, Giant, Light, Service, Steady
from tests.chaos.publications import Publications
from tests.chaos.questionnaire import NO_LIMITS, REISSUED, Fields
from tests.chaos.ruled import Ruled
from tests.support.fake_clock import fake_clock, follow_clock
from tests.support.redis_server import RedisServer

from triggers.dev.broker import SHORT_LIVED
from triggers.dev.child_process import Relay
from triggers.dev.ports import free_ports
from triggers.dev.stack import Service as Process
from triggers.dev.stack import Stack, celery_service, environment, worker_service
from triggers.kafka.topics import create_topics
from triggers.settings import Settings

ROOT = Path(__file__).parents[2]
CELERY = "celery"
"""Name of the door that all Celery workers and the dispatcher share."""
CLOCKED = 0
"""Slot of the agent whose clock can be set."""
SMALL_DISK = 1
"""Slot of the agent whose disk is small."""
_STARTED_WITHIN_S = 90.0
_LONG_S = 60.0
"""Duration of faults beyond which it pays off to let Java compile the brokers fully."""
LOG = "processes.log"
"""File with the output of all processes."""


class NotStarted(Exception):
    """Raised when the installation does not become ready. The logs say why."""


@dataclass
class World:
    """The installation under test. Not thread-safe."""

    plan: Plan
    settings: Settings
    """Settings with which the campaign itself connects, without a door."""
    brokers: Brokers
    stack: Stack
    relay: Relay
    agents: list[AgentMachine] = field(default_factory=list)
    executors: list[CeleryMachine] = field(default_factory=list)
    others: list[Machine] = field(default_factory=list)
    """The dispatcher, or nothing."""
    producers: list[Service] = field(default_factory=list)
    publications: Publications | None = None
    """The publisher of rules, or None if the plan has no sessions with published rules."""
    redis: RedisServer | None = None
    disk: Disk | None = None

    @property
    def clock_file(self) -> Path:
        """File from which libfaketime reads the offset of the clock."""
        return self.plan.folder / "clock"

    @property
    def executions_file(self) -> Path:
        """File with a line for each execution of a task."""
        return self.plan.folder / "executions"

    def things(self) -> dict[str, int]:
        """Returns the number of things of each sort that faults can strike."""
        return {
            "agent": len(self.agents),
            "agents": 1,
            "celery": len(self.executors),
            "celeries": 1,
            "answers": 1,
            "group": 1,
            "broker": len(self.brokers),
            "cluster": int(len(self.brokers) > 2),
            "producers": 1,
            "redis": int(self.redis is not None),
            "clock": int(fake_clock() is not None),
            "disk": int(len(self.agents) > SMALL_DISK),
        }

    def machines(self) -> list[Machine]:
        """Returns all services that the stack keeps alive."""
        return [*self.agents, *self.executors, *self.others]

    def tend(self) -> None:
        """Starts services again that have ended. Must be called several times a second."""
        self.stack.watch()
        for machine in self.machines():
            if machine.measure():
                self.relay.write("chaos", f"{machine.service.name} has {machine.peak_mb} MB of memory")

    def wait_until_ready(self) -> None:
        """Waits until every agent owns partitions and every partition is owned. Raises NotStarted."""
        deadline = time.monotonic() + _STARTED_WITHIN_S
        while not self.is_complete():
            if time.monotonic() > deadline:
                raise NotStarted(f"see {self.plan.folder}")
            self.tend()
            time.sleep(0.2)

    def is_complete(self) -> bool:
        """Returns whether every partition is owned and ready."""
        owned = [partitions for agent in self.agents if (partitions := agent.partitions()) is not None]
        return sum(map(len, owned)) == self.plan.partitions and len(owned) == len(self.agents)


@contextmanager
def start_world(plan: Plan) -> Iterator[World]:
    """Starts the installation and stops it at the end of the `with`."""
    if (plan.folder / LOG).exists():  # the data of an earlier campaign
        shutil.rmtree(plan.folder)
    plan.folder.mkdir(parents=True, exist_ok=True)
    clients = [*(f"agent-{slot}" for slot in range(plan.agents)), CELERY]
    java_options = SHORT_LIVED if plan.duration_s < _LONG_S else ()
    brokers = Brokers(plan.brokers, clients, plan.folder, java_options)
    with (plan.folder / LOG).open("w") as log, Disk.mounted(plan.folder / "small-disk") as disk:
        relay = Relay(log)
        world = World(plan, _settings(plan, brokers), brokers, Stack(relay), relay, disk=disk)
        try:
            _start(world)
            yield world
        finally:
            _stop(world)


def _settings(plan: Plan, brokers: Brokers) -> Settings:
    return Settings(
        brokers=brokers.addresses,
        namespace="chaos",
        partitions=plan.partitions,
        replication_factor=min(plan.brokers, 3),
        data_dir=plan.folder / "data",
        session_timeout_s=plan.session_timeout_s,
        celery_session_timeout_s=plan.session_timeout_s,
        read_timeout_s=30.0,
        log_level="INFO",
    )


def _start(world: World) -> None:
    world.brokers.start()
    create_topics(world.settings)
    world.executions_file.touch()
    world.clock_file.write_text("+0")
    if world.plan.dispatcher:
        world.redis = RedisServer(world.plan.folder / "redis")
        world.redis.start()
        world.others.append(_dispatcher(world, world.redis.url))
    for slot, port in enumerate(free_ports(world.plan.agents)):
        world.agents.append(_agent(world, slot, port))
    world.executors += [_executor(world, number) for number in range(world.plan.celery_workers)]
    for machine in world.machines():
        machine.up()
    world.producers += _producers(world)
    if world.plan.ruled:
        world.publications = Publications(world.settings, world.plan.seed, _limits(world.plan))


def _stop(world: World) -> None:
    if world.publications is not None and world.publications.is_alive():
        world.publications.finish()
    for producer in world.producers:
        if producer.is_alive():
            producer.finish()
    world.stack.stop()
    for machine in world.machines():
        machine.crash()
    if world.redis is not None:
        world.redis.kill()
    world.brokers.stop()


def _agent(world: World, slot: int, port: int) -> AgentMachine:
    settings = _behind(world, f"agent-{slot}")
    if slot == SMALL_DISK and world.disk is not None:
        settings = msgspec.structs.replace(settings, data_dir=world.disk.folder)
    service = worker_service(settings, slot, port)
    service.env = {**service.env, **_code(world), **(_clock(world) if slot == CLOCKED else {})}
    return AgentMachine(world.stack, service, port, settings.data_dir / service.name)


def _executor(world: World, number: int) -> CeleryMachine:
    env = {"CHAOS_EXECUTIONS": str(world.executions_file), "PYTHONPATH": f"{ROOT / 'streams'}:{ROOT}"}
    if world.redis is not None:
        env["CHAOS_BROKER_URL"] = world.redis.url
    return CeleryMachine(
        world.stack, celery_service(_behind(world, CELERY), "tests.chaos.tasks", f"celery-{number}", env, ROOT)
    )


def _dispatcher(world: World, redis_url: str) -> Machine:
    command = [sys.executable, "-m", "triggers.cli", "dispatcher", "-A", "tests.chaos.tasks"]
    env = environment(_behind(world, CELERY), CHAOS_BROKER_URL=redis_url, PYTHONPATH=f"{ROOT / 'streams'}:{ROOT}")
    return CeleryMachine(world.stack, Process("dispatcher", command, env, ROOT))


def _producers(world: World) -> list[Service]:
    shares: tuple[tuple[type[Service], str, float], ...]
    shares = ((Steady, "steady", 0.5), (Bursty, "bursty", 0.3), (Giant, "giant", 0.2))
    plan, limits = world.plan, _limits(world.plan)
    plain = plan.events_per_s * (1 - plan.ruled)
    made: list[Service] = [kind(name, world.settings, plan.seed, plain * share, limits) for kind, name, share in shares]
    if plan.ruled:
        made.append(Ruled("ruled", world.settings, plan.seed, plan.events_per_s * plan.ruled, limits))
    if plan.light_per_s:
        made.append(Light("light", world.settings, plan.seed, plan.light_per_s, limits))
    return made


def _limits(plan: Plan) -> Fields:
    return REISSUED if plan.dispatcher else NO_LIMITS


def _behind(world: World, client: str) -> Settings:
    return msgspec.structs.replace(world.settings, brokers=world.brokers.addresses_behind(client))


def _code(world: World) -> dict[str, str]:
    return {"PYTHONPATH": str(world.plan.package or ROOT / "streams")}


def _clock(world: World) -> dict[str, str]:
    """Returns variables that let faults set the clock."""
    library = fake_clock() if world.plan.has_clock_faults else None
    return {} if library is None else follow_clock(library, world.clock_file)
