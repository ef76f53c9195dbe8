"""Faults of the workers' group: members join and leave in quick succession, or find a backlog when they join."""

from __future__ import annotations

import signal
import threading
import time
from random import Random

from confluent_kafka import Consumer, KafkaException, TopicPartition
from tests.chaos.agent_faults import Steps
from tests.chaos.schedule import Shot
from tests.chaos.world import World

from triggers.settings import Settings
from triggers.topology import Topology

_HASTE = 10.0
_GUESTS = 6
_VISITS_EVERY_S = 2.0
_GUEST_STAYS_S = 5.0
_QUIET_S = 2.0


def guests_come_and_go(world: World, shot: Shot) -> Steps:
    """Guests join the workers' group and leave it at once, which causes several rebalances within a second."""
    chance = Random(shot.seed)  # noqa: S311  # repeatable
    left_s = shot.hold_s
    while left_s > 0:
        for _ in range(_GUESTS):
            invite_guest(world.settings, chance.uniform(0.0, 1.0), chance.uniform(0.2, 1.0))
        yield min(_VISITS_EVERY_S, left_s)
        left_s -= _VISITS_EVERY_S


def invite_guest(settings: Settings, after_s: float, stays_s: float = _GUEST_STAYS_S) -> None:
    """Lets a guest join the group. It leaves when it is assigned partitions or after `stays_s`."""
    visit = threading.Timer(after_s, _visit, args=(settings, stays_s))
    visit.daemon = True
    visit.start()


def killed_in_turns(world: World, shot: Shot) -> Steps:
    """One worker after the other gets SIGKILL, within seconds and repeatedly."""
    chance = Random(shot.seed)  # noqa: S311  # repeatable
    left_s = shot.hold_s
    while left_s > 0:
        chance.choice(world.agents).signal(signal.SIGKILL)
        pause = chance.uniform(0.2, 4.0)
        yield pause
        left_s -= pause


def started_before_a_backlog(world: World, shot: Shot) -> Steps:
    """No worker runs while applications publish fast. Then all workers start at once."""
    for agent in world.agents:
        agent.crash()
    for producer in world.producers:
        producer.haste = _HASTE
    yield shot.hold_s
    for producer in world.producers:
        producer.haste = 1.0
    for agent in world.agents:
        agent.up()


def inherits_a_backlog(world: World, shot: Shot) -> Steps:
    """One worker, whose partitions are quiet, takes over all other partitions with their backlog."""
    heir = world.agents[shot.target % len(world.agents)]
    quiet = frozenset(heir.partitions() or ())
    for producer in world.producers:
        producer.quiet = quiet
    yield _QUIET_S
    others = [agent for agent in world.agents if agent is not heir]
    for agent in others:
        agent.crash()
    yield shot.hold_s
    for agent in others:
        agent.up()
    yield _QUIET_S
    for producer in world.producers:
        producer.quiet = frozenset()


def broker_just_started(world: World, shot: Shot) -> Steps:
    """A broker is killed and started, and workers start before it has loaded its groups and transactions."""
    for agent in world.agents:
        agent.crash()
    world.brokers.kill(shot.target)
    yield shot.hold_s
    world.brokers.launch(shot.target)
    for agent in world.agents:
        agent.up()


def _visit(settings: Settings, stays_s: float) -> None:
    """Joins the group, stays and leaves. A guest applies and commits nothing."""
    names, is_assigned = Topology(settings.namespace), threading.Event()
    guest = Consumer(
        {
            "bootstrap.servers": settings.brokers,
            "client.id": "guest",
            "group.id": names.agents,
            "enable.auto.commit": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(settings.session_timeout_s * 1000),
            "log_level": 0,
        }
    )

    def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        if partitions:  # the first assignment is often empty, because others must revoke partitions first
            is_assigned.set()

    guest.subscribe([names.events], on_assign=assigned)
    deadline = time.monotonic() + stays_s
    try:
        while not is_assigned.is_set() and time.monotonic() < deadline:
            guest.poll(0.05)
    except KafkaException:
        pass  # the broker may have been killed meanwhile
    finally:
        guest.close()
