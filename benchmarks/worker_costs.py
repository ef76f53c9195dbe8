"""Measures a worker's start, recovery, memory and disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.contenders import AGENT
from benchmarks.delivery import await_records, create_installation, publish
from benchmarks.processes import Cost, Running, watch_costs
from benchmarks.seeding import seed
from benchmarks.workload import Workload, pages
from triggers.topology import Topology

_PAGES = 5
_ENOUGH_S = 600.0
_LIVE_EVENTS = 20_000


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a worker that recovers sessions of five pages on an empty disk and then serves them."""

    sessions: int
    partitions: int
    rows: int
    seconds: float
    rows_per_s: float
    cpu_us_per_row: float
    resident_mb: float
    """Resident memory after the recovery and twenty thousand events to sessions of all partitions."""
    disk_mb: float


class _Restored(msgspec.Struct):
    partitions: list[int]
    rows: int
    seconds: float


def cold_start(brokers: str) -> float:
    """Returns the seconds from the start of the process to the first command, without rows. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        publish(settings, Workload(name="one", in_flight=1, pages=1, whole=True).all_events())
        started = time.time()
        agent = stack.enter_context(AGENT.start(settings, folder))
        delivered = await_records(settings, Topology(settings.namespace).commands, agent, 1)
    return delivered.times[0] - started


def recovery(brokers: str, sessions: int, partitions: int) -> Recovery:
    """Writes the changelog and measures a worker that starts with an empty disk. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers, partitions))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        seed(settings, map(_uid, range(sessions)), _PAGES)
        agent = stack.enter_context(AGENT.start(settings, folder))
        (cost,) = stack.enter_context(watch_costs(agent.process))
        restored = _await_restored(agent, partitions)
        cpu_s = cost.cpu_s[-1]
        publish(settings, _pages_of(sessions))
        await_records(settings, Topology(settings.namespace).commands, agent, _LIVE_EVENTS)
        return _recovery(restored, cost, cpu_s, sessions, folder)


def _recovery(restored: list[_Restored], cost: Cost, cpu_s: float, sessions: int, folder: Path) -> Recovery:
    rows, seconds = sum(each.rows for each in restored), sum(each.seconds for each in restored)
    return Recovery(
        sessions=sessions,
        partitions=sum(len(each.partitions) for each in restored),
        rows=rows,
        seconds=seconds,
        rows_per_s=rows / seconds,
        cpu_us_per_row=cpu_s / rows * 1e6,
        resident_mb=cost.resident[-1] / 2**20,
        disk_mb=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20,
    )


def _uid(number: int) -> bytes:
    return b"questionnaire-2-%06d" % number


def _pages_of(sessions: int) -> Iterator[tuple[bytes, bytes]]:
    """Returns a page for each of many sessions on all partitions."""
    values = pages()
    for number in range(_LIVE_EVENTS):
        yield _uid(number * 7919 % sessions), values[number % len(values)]


def _await_restored(agent: Running, partitions: int) -> list[_Restored]:
    """Waits until all partitions are recovered and returns what the worker has logged of them."""
    deadline = time.monotonic() + _ENOUGH_S
    while time.monotonic() < deadline:
        time.sleep(0.2)
        agent.check()
        lines = agent.log.read_bytes().splitlines()
        restored = [msgspec.json.decode(line, type=_Restored) for line in lines if b'"restored"' in line]
        if sum(len(each.partitions) for each in restored) >= partitions:
            return restored
    raise RuntimeError(f"the agent does not recover {partitions} partitions:\n{agent.log.read_text()[-2000:]}")
