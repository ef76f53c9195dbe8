"""Measures latency at a steady rate, from an event to its readable command and to the start of its task in Celery."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.contenders import AGENT
from benchmarks.delivery import await_records, create_installation, publish, reader_options
from benchmarks.processes import Running, run_python
from benchmarks.programs.client_options import producer_options
from benchmarks.workload import KWARGS_BYTES, Workload
from triggers.codec import encode_event
from triggers.core.events import TriggerFired
from triggers.settings import Settings
from triggers.topology import Topology

RATE = 500
PARTITIONS = (8, 2)
"""Number of the agent's partitions. A transaction takes longer for each partition that it writes to."""
SESSIONS = Workload(name="latency", in_flight=1000, pages=0, whole=True)
_WARM_UP_S = 5.0
LAST_COMMANDS_S = 2.0
"""Time for the last commands to become visible."""
_AT = re.compile(rb'"at":([0-9.]+)')


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds."""

    p50: float
    p90: float
    p99: float
    most: float
    events: int


def latency_name(what: str, partitions: int, *, celery: bool) -> str:
    """Returns the name of a figure in the tables."""
    return f"{what}, {partitions} partitions{', with Celery on the machine' if celery else ''}"


def summarize(seconds: Sequence[float]) -> Latency:
    """Summarizes single measurements."""
    cuts = quantiles(seconds, n=100)
    p50, p90, p99 = (round(cuts[percent - 1] * 1000, 1) for percent in (50, 90, 99))
    return Latency(p50=p50, p90=p90, p99=p99, most=round(max(seconds) * 1000, 1), events=len(seconds))


def measure_latency(brokers: str, seconds: float, partitions: int, *, celery: bool) -> dict[str, Latency]:
    """Measures a run at 500 events/s: `command visible`, and with Celery `task started`. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers, partitions))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        agent = _start_agent(stack, settings, folder)
        if celery:
            _start_celery(stack, settings, folder)
        visible = CommandWatcher(settings, _WARM_UP_S)
        with visible.watching():
            fire_steadily(settings, _WARM_UP_S + seconds)
            time.sleep(LAST_COMMANDS_S)
        agent.check()
        latencies = {"command visible": summarize(visible.seconds)}
        if celery:
            started = [float(line) for line in (folder / "notes").read_text().split()]
            latencies["task started"] = summarize(started[int(len(started) * _WARM_UP_S / (_WARM_UP_S + seconds)) :])
    return latencies


def _start_agent(stack: ExitStack, settings: Settings, folder: Path) -> Running:
    """Starts an agent with open sessions."""
    publish(settings, SESSIONS.all_events())
    agent = stack.enter_context(AGENT.start(settings, folder))
    await_records(settings, Topology(settings.namespace).commands, agent, SESSIONS.sessions)
    return agent


def _start_celery(stack: ExitStack, settings: Settings, folder: Path) -> None:
    """Starts a Celery worker and waits until it has run the sessions' first tasks."""
    worker = stack.enter_context(celery_worker(settings, folder, "-c2", BENCH_NOTES=str(folder / "notes")))
    events = Topology(settings.namespace).events
    await_records(settings, events, worker, SESSIONS.events + 2 * SESSIONS.sessions)


@contextmanager
def celery_worker(
    settings: Settings, folder: Path, *options: str, app: str = "benchmarks.programs.celery_tasks", **env: str
) -> Iterator[Running]:
    """Starts `celery worker` with the tasks of an app that do nothing."""
    env |= {"TRIGGERS_BROKERS": settings.brokers, "TRIGGERS_NAMESPACE": settings.namespace}
    quiet = ["--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    arguments = ["-m", "celery", "-A", app, "worker", *quiet, *options]
    with run_python("celery", arguments, folder, env=env) as worker:
        yield worker


def fire_steadily(
    settings: Settings, seconds: float, rate: int = RATE, encode_page: Callable[[bytes], bytes] | None = None
) -> None:
    """Publishes pages at a rate to one open session after the other. Each page has the time at which it was fired.

    `encode_page` makes a page of its kwargs; Avro by default.
    """
    encode = encode_page or _encode_page
    producer = Producer(producer_options(settings.brokers) | {"enable.idempotence": True, "linger.ms": 0})
    topic = Topology(settings.namespace).events
    keys = SESSIONS.keys()
    started = time.monotonic()
    for number in range(int(seconds * rate)):
        if (ahead := started + number / rate - time.monotonic()) > 0:
            time.sleep(ahead)
        producer.produce(topic, encode(_page_kwargs()), keys[number % len(keys)])
        producer.poll(0)
    producer.flush(30)


def _page_kwargs() -> bytes:
    start = b'{"at":%.6f,"answer":"' % time.time()
    return start.ljust(KWARGS_BYTES - 2, b"x") + b'"}'


def _encode_page(kwargs: bytes) -> bytes:
    return encode_event(TriggerFired(trigger="pageReceived", kwargs=kwargs))


class CommandWatcher:
    """Reads commands as soon as they are visible, and records their latency."""

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
        """Runs the watcher in a thread until the block ends."""
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
            match = _AT.search((message and message.value()) or b"")
            if match and now > self._from:
                self.seconds.append(now - float(match.group(1)))
