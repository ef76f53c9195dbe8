"""Measures whether an agent's memory grows under steady work: new sessions, each with its rules and five pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec
from confluent_kafka import Producer

from benchmarks.contenders import AGENT
from benchmarks.delivery import await_records, create_installation
from benchmarks.processes import Running
from benchmarks.programs.client_options import producer_options
from benchmarks.workload import Published, Workload
from triggers.topology import Topology

RATE = 1000
"""Events per second, from a hundred new sessions per second."""
_TURNS_PER_S = 10
_SAMPLES = 60
_WAVE = Workload(name="soak", in_flight=1000, pages=5, whole=True)


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run."""

    seconds: float
    events: int
    sessions: int
    resident_mb: list[float]
    """Resident memory at even intervals."""

    @property
    def growth(self) -> float:
        """Ratio of the median memory in the last third to that in the second. In the first third caches fill."""
        third = len(self.resident_mb) // 3
        return median(self.resident_mb[-third:]) / median(self.resident_mb[third:-third])


def soak(brokers: str, seconds: float) -> Soak:
    """Runs an agent for that time and blocks. Raises RuntimeError if the agent ends or has not done everything."""
    waves = max(round(RATE * seconds / _WAVE.events), 1)
    work = Workload(name="soak", in_flight=_WAVE.in_flight, pages=_WAVE.pages, waves=waves, whole=True)
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        agent = stack.enter_context(AGENT.start(settings, folder))
        producer = Producer(producer_options(settings.brokers))
        resident = list(_work(producer, Topology(settings.namespace).events, work, agent))
        producer.flush(60)
        await_records(settings, Topology(settings.namespace).commands, agent, work.commands)
    return Soak(seconds=seconds, events=work.events, sessions=work.sessions, resident_mb=resident)


def _work(producer: Producer, topic: str, work: Workload, agent: Running) -> Iterator[float]:
    """Publishes at the rate and returns the agent's resident memory in MB at even intervals."""
    events = work.all_events()
    turns = work.events * _TURNS_PER_S // RATE
    started = time.monotonic()
    for turn in range(turns):
        _publish(producer, topic, list(islice(events, RATE // _TURNS_PER_S)))
        if turn % max(turns // _SAMPLES, 1) == 0:
            agent.check()
            yield agent.process.memory_info().rss / 2**20
        time.sleep(max(started + (turn + 1) / _TURNS_PER_S - time.monotonic(), 0))
    _publish(producer, topic, list(events))


def _publish(producer: Producer, topic: str, events: list[Published]) -> None:
    for key, value in events:
        producer.produce(topic, value, key)
    producer.poll(0)
