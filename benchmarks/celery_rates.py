"""Tasks per second of one Celery worker: fed by commands on Kafka, beside the same worker fed by Redis.

On Kafka from the command to the published result; over Redis from the message of a plain `send_task` until it is gone,
with its result stored in Redis and without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import redis
from celery import Celery
from confluent_kafka import Producer

from benchmarks.delivery import Delivered, await_records, installation
from benchmarks.latency import celery_worker
from benchmarks.processes import Running, watched
from benchmarks.programs.client_options import producer_options
from benchmarks.redis_server import redis_server
from benchmarks.throughput import Rate, rate_of
from benchmarks.workload import page_events
from triggers.codec import EventDecoder, encode_command
from triggers.core.commands import RunTask
from triggers.core.events import TaskFinished, TriggerFired
from triggers.settings import Settings
from triggers.topology import Topology

POOLS = {"prefork -c 2": ("-c2",), "solo": ("--pool=solo",)}
_TASK = "app.tasks.ImportResponses"
_LOOK_EVERY_S = 0.02
_STALLED_S = 120.0

_decoder = EventDecoder(max_payload_bytes=900_000)


def programs(brokers: str, options: tuple[str, ...], tasks: int) -> dict[str, Callable[[], Rate]]:
    """What is compared, each to be run once a round."""
    return {
        "commands on Kafka": lambda: from_kafka(brokers, options, tasks),
        "send_task over Redis": lambda: from_redis(options, tasks),
        "send_task over Redis, results ignored": lambda: from_redis(options, tasks, BENCH_IGNORE_RESULTS="1"),
    }


def from_kafka(brokers: str, options: tuple[str, ...], tasks: int) -> Rate:
    """One run: the commands are there before the worker starts. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        _publish_commands(settings, tasks)
        worker = stack.enter_context(celery_worker(settings, folder, *options))
        costs = stack.enter_context(watched(worker.process))
        events = Topology(settings.namespace).events
        delivered = await_records(settings, events, worker, tasks, _is_result)
    return rate_of(delivered, costs)


def from_redis(options: tuple[str, ...], tasks: int, **env: str) -> Rate:
    """One run: the messages are there before the worker starts. Raises RuntimeError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        url, _server = stack.enter_context(redis_server(folder))
        _send_tasks(url, tasks)
        worker = stack.enter_context(celery_worker(Settings(), folder, *options, BENCH_REDIS=url, **env))
        costs = stack.enter_context(watched(worker.process))
        delivered = Delivered(_times_done(url, worker, tasks), others=0)
    return rate_of(delivered, costs)


def _publish_commands(settings: Settings, tasks: int) -> None:
    producer = Producer(producer_options(settings.brokers) | {"enable.idempotence": True})
    topic = Topology(settings.namespace).commands
    for number, kwargs in zip(range(tasks), _kwargs(), strict=False):
        session, instance = f"questionnaire-{number}", f"t_importResponses#{number}"
        command = RunTask(session=session, instance=instance, attempt=1, run=_TASK, kwargs=kwargs)
        producer.produce(topic, encode_command(command), session.encode())
    producer.flush(60)


def _send_tasks(url: str, tasks: int) -> None:
    app = Celery("bench", broker=url, backend=url)
    for _, kwargs in zip(range(tasks), _kwargs(), strict=False):
        app.send_task(_TASK, kwargs=msgspec.json.decode(kwargs))
    app.close()


def _kwargs() -> Iterator[bytes]:
    """What the pages' tasks get."""
    while True:
        for event in page_events():
            if isinstance(event, TriggerFired):
                yield b'{"pageReceived":' + event.kwargs + b',"t_importSubject":{"subjectId":42}}'


def _is_result(value: bytes) -> bool:
    return isinstance(_decoder.decode(value, None, 0, 0), TaskFinished)


def _times_done(url: str, worker: Running, tasks: int) -> list[float]:
    """When each task was taken for good, by looking often how many messages are left."""
    times: list[float] = []
    deadline = time.monotonic() + _STALLED_S
    with redis.Redis.from_url(url) as server:
        while len(times) < tasks and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            worker.check()
            left = int(server.llen("celery")) + int(server.hlen("unacked"))
            times += [time.time()] * (tasks - left - len(times))
    if len(times) < tasks:
        raise RuntimeError(f"celery stands still after {len(times)} of {tasks} tasks")
    return times
