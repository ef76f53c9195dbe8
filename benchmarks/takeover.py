"""Measures how long the sessions of an agent stand still when it is killed and a second agent takes them over."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from confluent_kafka import Consumer, TopicPartition

from benchmarks.contenders import AGENT
from benchmarks.delivery import await_records, create_installation, publish, reader_options
from benchmarks.latency import fire_steadily
from benchmarks.processes import Running
from benchmarks.workload import Workload
from triggers.dev import child_process
from triggers.settings import Settings
from triggers.topology import Topology

_SESSIONS = Workload(name="takeover", in_flight=1000, pages=0, whole=True)
_BEFORE_S = 15.0
"""Seconds of steady work before the kill. By then the second agent has joined and has its partitions."""
_AFTER_S = 13.0


def measure_stall(brokers: str) -> float:
    """Returns the longest pause of a partition's commands, in seconds, while one of two agents is killed.

    Events keep coming at 500/s, so that every partition has some sixty commands a second. Raises RuntimeError if an
    agent ends without being killed.
    """
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folders = [Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-"))) for _ in range(2)]
        publish(settings, _SESSIONS.all_events())
        survivor, victim = (stack.enter_context(AGENT.start(settings, folder)) for folder in folders)
        await_records(settings, Topology(settings.namespace).commands, survivor, _SESSIONS.sessions)
        watcher = _Watcher(settings)
        with watcher.watching(), _killing(victim, after_s=_BEFORE_S):
            fire_steadily(settings, _BEFORE_S + _AFTER_S)
        survivor.check()
    return watcher.longest_pause()


@contextmanager
def _killing(victim: Running, after_s: float) -> Iterator[None]:
    """Kills a program while the block runs. Raises RuntimeError if it has ended before."""
    victim.check()
    timer = threading.Timer(after_s, child_process.kill, [victim.child])
    timer.start()
    try:
        yield
    finally:
        timer.join()


class _Watcher:
    """Notes when the commands of each partition become visible to a read-committed consumer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._arrived: dict[int, list[float]] = defaultdict(list)
        self._stop = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Runs the watcher in a thread until the block ends."""
        reader = Consumer(reader_options(self._settings))
        topic = Topology(self._settings.namespace).commands
        reader.assign([TopicPartition(topic, each) for each in range(self._settings.partitions)])
        thread = threading.Thread(target=self._run, args=[reader], daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            reader.close()

    def _run(self, reader: Consumer) -> None:
        while not self._stop.is_set():
            message = reader.poll(0.1)
            if message and not message.error():
                self._arrived[message.partition() or 0].append(time.monotonic())

    def longest_pause(self) -> float:
        """Returns the longest time between two commands of a partition, in seconds."""
        return max(later - earlier for times in self._arrived.values() for earlier, later in pairwise(times))
