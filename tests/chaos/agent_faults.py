"""Faults of workers, their disks, their clocks and their network."""

from __future__ import annotations

import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.chaos.schedule import Shot
from tests.chaos.world import SMALL_DISK, World

Steps = Iterator[float]
"""The steps of a fault. Each yields the number of seconds to wait before the next step."""

_BLOCK = 4096
_LIVES_ELSEWHERE_S = 8.0
"""Longer than a session timeout, so that other workers have taken over the partitions."""


def killed(world: World, shot: Shot) -> Steps:
    """A worker gets SIGKILL. Its supervisor starts it again."""
    world.agents[shot.target].signal(signal.SIGKILL)
    yield 0


def machine_lost(world: World, shot: Shot) -> Steps:
    """Worker and supervisor get SIGKILL and are started again later."""
    world.agents[shot.target].crash()
    yield shot.hold_s
    world.agents[shot.target].up()


def stopped(world: World, shot: Shot) -> Steps:
    """A worker gets SIGTERM and is started again later."""
    agent = world.agents[shot.target]
    agent.ask_to_stop()
    yield 3.0
    agent.stop()
    yield shot.hold_s
    agent.up()


def frozen(world: World, shot: Shot) -> Steps:
    """A worker is stopped for longer than the session timeout and then continues, as a zombie."""
    agent = world.agents[shot.target]
    agent.signal(signal.SIGSTOP)
    yield shot.hold_s
    agent.signal(signal.SIGCONT)


def all_killed(world: World, shot: Shot) -> Steps:  # noqa: ARG001  # a fault's signature
    """All workers get SIGKILL at once."""
    for agent in world.agents:
        agent.signal(signal.SIGKILL)
    yield 0


def scaled(world: World, shot: Shot) -> Steps:
    """All workers but one stop and come back, and then all but another one."""
    for survivor in (shot.target, (shot.target + 1) % len(world.agents)):
        leaving = [agent for slot, agent in enumerate(world.agents) if slot != survivor]
        for agent in leaving:
            agent.ask_to_stop()
        yield shot.hold_s / 4
        for agent in leaving:
            agent.stop()
            agent.up()
        yield shot.hold_s / 4


def disk_wiped(world: World, shot: Shot) -> Steps:
    """The worker is killed and comes back without its data."""
    agent = world.agents[shot.target]
    agent.crash()
    _empty_folder(agent.folder)
    yield shot.hold_s
    agent.up()


def disk_stale(world: World, shot: Shot) -> Steps:
    """The worker is killed and comes back with an old copy of its data."""
    agent, copy = world.agents[shot.target], world.plan.folder / f"stale-{shot.target}"
    agent.crash()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(agent.folder, copy)
    yield _LIVES_ELSEWHERE_S
    agent.up()
    yield shot.hold_s
    agent.crash()
    _empty_folder(agent.folder)
    while shutil.disk_usage(agent.folder).free < _size(copy):  # wait while its disk is full
        yield 1.0
    shutil.copytree(copy, agent.folder, dirs_exist_ok=True)
    yield 1.0
    agent.up()


def disk_corrupt(world: World, shot: Shot) -> Steps:
    """The worker is killed, and bytes of its files are overwritten while it is down."""
    agent, chance = world.agents[shot.target], Random(shot.seed)  # noqa: S311  # repeatable
    agent.crash()
    for file in sorted(agent.folder.glob("**/*.db/*")):
        if file.name[:4] not in {"LOCK", "LOG"} and chance.random() < 0.5 and file.stat().st_size:
            _corrupt_file(file, chance)
    yield 0.5
    agent.up()


def disk_full(world: World, shot: Shot) -> Steps:
    """The worker's disk is full. Without the privilege to mount one, no file of the worker can grow."""
    if world.disk is not None:
        world.disk.fill()
        yield shot.hold_s
        world.disk.free()
        return
    agent = world.agents[SMALL_DISK]
    for pid in agent.working():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    yield shot.hold_s
    for pid in agent.working():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def clock_jumps(world: World, shot: Shot) -> Steps:
    """The worker's clock is an hour fast, then an hour slow, then right."""
    for offset in ("+3600", "-3600", "+0"):
        world.clock_file.write_text(offset)
        yield shot.hold_s / 2 if offset != "+0" else 0.0


def clock_off(world: World, shot: Shot) -> Steps:
    """The worker's clock is some seconds fast, then as many seconds slow, then right."""
    seconds = Random(shot.seed).uniform(0.2, 8.0)  # noqa: S311  # repeatable
    for offset in (f"+{seconds:.1f}", f"-{seconds:.1f}", "+0"):
        world.clock_file.write_text(offset)
        yield shot.hold_s / 2 if offset != "+0" else 0.0


def network_slow(world: World, shot: Shot) -> Steps:
    """Messages between the worker and the brokers are delayed by a second or two, each way."""
    door = world.brokers.doors[f"agent-{shot.target}"]
    door.delay_s = Random(shot.seed).uniform(0.5, 2.0)  # noqa: S311  # repeatable
    yield shot.hold_s
    door.open()


def network_cut(world: World, shot: Shot) -> Steps:
    """The worker's network is cut. What it has sent arrives later."""
    door = world.brokers.doors[f"agent-{shot.target}"]
    door.shut()
    yield shot.hold_s
    door.open()


def _empty_folder(folder: Path) -> None:
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _size(folder: Path) -> int:
    """Returns the bytes that the folder's files take, in blocks of 4 kB."""
    return sum(file.stat().st_size + _BLOCK for file in folder.glob("**/*"))


def _corrupt_file(file: Path, chance: Random) -> None:
    with suppress(OSError), file.open("r+b") as target:
        target.seek(chance.randrange(file.stat().st_size))
        target.write(chance.randbytes(64))
