"""How long an event takes at a steady rate: until its command can be read, and until its task starts in Celery."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.contenders import AGENT
from benchmarks.delivery import await_records, installation, publish, reader_options
from benchmarks.processes import Running, running
from benchmarks.programs.client_options import producer_options
from benchmarks.workload import KWARGS_BYTES, Workload
from triggers.codec import encode_event
from triggers.core.events import TriggerFired
from triggers.settings import Settings
from triggers.topology import Topology

RATE = 500
PARTITIONS = (8, 2)
"""Of the agent: a transaction takes so much longer for each of them that it writes to."""
_SESSIONS = Workload(name="latency", in_flight=1000, pages=0, whole=True)
_WARM_UP_S = 5.0
_AT = re.compile(rb'"at":([0-9.]+)')


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds."""

    p50: float
    p90: float
    p99: float
    most: float
    events: int


def latency_name(what: str, partitions: int, *, celery: bool) -> str:
    """What a figure is called in the tables."""
    return f"{what}, {partitions} partitions{', with Celery on the machine' if celery else ''}"


def of(seconds: Sequence[float]) -> Latency:
    """From single measurements."""
    cuts = quantiles(seconds, n=100)
    p50, p90, p99 = (round(cuts[percent - 1] * 1000, 1) for percent in (50, 90, 99))
    return Latency(p50=p50, p90=p90, p99=p99, most=round(max(seconds) * 1000, 1), events=len(seconds))


def measure_latency(brokers: str, seconds: float, partitions: int, *, celery: bool) -> dict[str, Latency]:
    """One run at 500 events a second: `command visible`, and with Celery `task started` too. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(installation(brokers, partitions))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        agent = _agent(stack, settings, folder)
        if celery:
            _celery(stack, settings, folder)
        visible = _Watcher(settings, _WARM_UP_S)
        with visible.watching():
            fire_steadily(settings, _WARM_UP_S + seconds)
            time.sleep(2)
        agent.check()
        found = {"command visible": of(visible.seconds)}
        if celery:
            started = [float(line) for line in (folder / "notes").read_text().split()]
            found["task started"] = of(started[int(len(started) * _WARM_UP_S / (_WARM_UP_S + seconds)) :])
    return found


def _agent(stack: ExitStack, settings: Settings, folder: Path) -> Running:
    """A running agent with open sessions."""
    publish(settings, _SESSIONS.all_events())
    agent = stack.enter_context(AGENT.start(settings, folder))
    await_records(settings, Topology(settings.namespace).commands, agent, _SESSIONS.sessions)
    return agent


def _celery(stack: ExitStack, settings: Settings, folder: Path) -> None:
    """A running Celery worker that has done the sessions' first tasks."""
    worker = stack.enter_context(celery_worker(settings, folder, "-c2", BENCH_NOTES=str(folder / "notes")))
    events = Topology(settings.namespace).events
    await_records(settings, events, worker, _SESSIONS.events + 2 * _SESSIONS.sessions)


@contextmanager
def celery_worker(settings: Settings, folder: Path, *options: str, **env: str) -> Iterator[Running]:
    """`celery worker` on the tasks that do nothing."""
    env |= {"TRIGGERS_BROKERS": settings.brokers, "TRIGGERS_NAMESPACE": settings.namespace}
    quiet = ["--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    arguments = ["-m", "celery", "-A", "benchmarks.programs.celery_tasks", "worker", *quiet, *options]
    with running("celery", arguments, folder, env=env) as worker:
        yield worker


def fire_steadily(settings: Settings, seconds: float, rate: int = RATE) -> None:
    """Publish so many pages a second to the open sessions in turn, each with the time at which it was fired."""
    producer = Producer(producer_options(settings.brokers) | {"enable.idempotence": True, "linger.ms": 0})
    topic = Topology(settings.namespace).events
    keys = [key for key, _ in _SESSIONS.all_events()][: _SESSIONS.in_flight]
    started = time.monotonic()
    for number in range(int(seconds * rate)):
        if (ahead := started + number / rate - time.monotonic()) > 0:
            time.sleep(ahead)
        producer.produce(topic, _page(), keys[number % len(keys)])
        producer.poll(0)
    producer.flush(30)


def _page() -> bytes:
    kwargs = b'{"at":%.6f,"answer":"' % time.time()
    return encode_event(TriggerFired(trigger="pageReceived", kwargs=kwargs.ljust(KWARGS_BYTES - 2, b"x") + b'"}'))


class _Watcher:
    """Reads commands as they become visible."""

    def __init__(self, settings: Settings, warm_up_s: float) -> None:
        self.seconds: list[float] = []
        self._reader = Consumer(reader_options(settings))
        topic = Topology(settings.namespace).commands
        places = [TopicPartition(topic, partition) for partition in range(settings.partitions)]
        for place in places:
            place.offset = self._reader.get_watermark_offsets(place, timeout=30)[1]
        self._reader.assign(places)
        self._stop = threading.Event()
        self._from = time.time() + warm_up_s

    @contextmanager
    def watching(self) -> Iterator[None]:
        """In a thread, while the block runs."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._reader.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._reader.poll(0.1)
            now = time.time()
            found = _AT.search((message and message.value()) or b"")
            if found and now > self._from:
                self.seconds.append(now - float(found.group(1)))
