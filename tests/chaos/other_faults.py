"""Faults of brokers, Celery workers and Redis, and floods of events."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from random import Random

from tests.chaos.agent_faults import Steps
from tests.chaos.schedule import Shot
from tests.chaos.world import CELERY, World

_HASTE = 10.0


def broker_killed(world: World, shot: Shot) -> Steps:
    """A broker gets SIGKILL and is started again later."""
    world.brokers.kill(shot.target)
    yield shot.hold_s
    world.brokers.launch(shot.target)


def broker_frozen(world: World, shot: Shot) -> Steps:
    """A broker is stopped, so that it neither accepts nor answers anything, and then continues."""
    world.brokers.freeze(shot.target)
    yield shot.hold_s
    world.brokers.thaw(shot.target)


def leader_changes(world: World, shot: Shot) -> Steps:
    """A broker hands over its leaderships and shuts down. It comes back and soon gets them again."""
    world.brokers.shut_down(shot.target)
    yield shot.hold_s
    world.brokers.launch(shot.target)


def brokers_slow(world: World, shot: Shot) -> Steps:
    """Messages between all workers and the brokers are delayed by a second, each way."""
    for door in world.brokers.doors.values():
        door.delay_s = Random(shot.seed).uniform(0.5, 1.5)  # noqa: S311  # repeatable
    yield shot.hold_s
    for door in world.brokers.doors.values():
        door.open()


def brokers_unreachable(world: World, shot: Shot) -> Steps:
    """No worker can reach a broker, but applications can."""
    for door in world.brokers.doors.values():
        door.shut()
    yield shot.hold_s
    for door in world.brokers.doors.values():
        door.open()


def celery_killed(world: World, shot: Shot) -> Steps:
    """A Celery worker and its pool get SIGKILL."""
    executor = world.executors[shot.target]
    executor.crash()
    yield shot.hold_s
    executor.up()


def celery_stopped(world: World, shot: Shot) -> Steps:
    """A Celery worker gets SIGTERM and is started again."""
    executor = world.executors[shot.target]
    executor.ask_to_stop()
    yield 2.0
    executor.stop()
    yield shot.hold_s
    executor.up()


def celery_frozen(world: World, shot: Shot) -> Steps:
    """A Celery worker is stopped for longer than its session timeout, while its pool continues."""
    executor = world.executors[shot.target]
    executor.signal(signal.SIGSTOP)
    yield shot.hold_s
    executor.signal(signal.SIGCONT)


def pool_child_killed(world: World, shot: Shot) -> Steps:
    """A process that runs tasks gets SIGKILL."""
    children = world.executors[shot.target].children()
    with suppress(ProcessLookupError, IndexError):
        os.kill(Random(shot.seed).choice(children), signal.SIGKILL)  # noqa: S311  # repeatable
    yield 0


def celery_all_down(world: World, shot: Shot) -> Steps:
    """No Celery worker runs, so commands pile up."""
    for executor in world.executors:
        executor.crash()
    yield shot.hold_s
    for executor in world.executors:
        executor.up()


def celery_cut(world: World, shot: Shot) -> Steps:
    """Celery workers cannot reach the brokers: they get no commands, and their results wait."""
    world.brokers.doors[CELERY].shut()
    yield shot.hold_s
    world.brokers.doors[CELERY].open()


def flood(world: World, shot: Shot) -> Steps:
    """Applications publish ten times faster."""
    for producer in world.producers:
        producer.haste = _HASTE
    yield shot.hold_s
    for producer in world.producers:
        producer.haste = 1.0


def redis_killed(world: World, shot: Shot) -> Steps:
    """Redis gets SIGKILL and is started again later."""
    if world.redis is not None:
        world.redis.kill()
        yield shot.hold_s
        world.redis.start()
