"""Measures the tasks per second of a Celery worker that reads commands from Kafka, or messages from Redis.

On Kafka, a task counts from its command to the published result. Over Redis, it counts from the message of a plain
`send_task` until the message is gone, with and without a stored result.
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

from benchmarks.delivery import Delivered, await_records, create_installation
from benchmarks.latency import celery_worker
from benchmarks.processes import Running, watch_costs
from benchmarks.programs.client_options import producer_options
from benchmarks.redis_server import run_redis_server
from benchmarks.throughput import Rate, rate_of
from benchmarks.workload import page_events
from triggers.codec import EventDecoder, encode_command
from triggers.core.commands import RunTask
from triggers.core.events import TaskFinished, TriggerFired
from triggers.settings import Settings
from triggers.topology import Topology

POOLS = {"prefork -c 2": ("-c2",), "solo": ("--pool=solo",)}
_TASK = "app.tasks.ImportResponses"
_POLL_INTERVAL_S = 0.02
_STALLED_S = 120.0

_decoder = EventDecoder(max_payload_bytes=900_000)


def compared_programs(brokers: str, options: tuple[str, ...], tasks: int) -> dict[str, Callable[[], Rate]]:
    """Returns the programs to compare. Each runs once per round."""
    return {
        "commands on Kafka": lambda: measure_from_kafka(brokers, options, tasks),
        "send_task over Redis": lambda: measure_from_redis(options, tasks),
        "send_task over Redis, results ignored": lambda: measure_from_redis(options, tasks, BENCH_IGNORE_RESULTS="1"),
    }


def measure_from_kafka(brokers: str, options: tuple[str, ...], tasks: int) -> Rate:
    """Measures a run in which all commands are on Kafka before the worker starts. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        _publish_commands(settings, tasks)
        worker = stack.enter_context(celery_worker(settings, folder, *options))
        costs = stack.enter_context(watch_costs(worker.process))
        events = Topology(settings.namespace).events
        delivered = await_records(settings, events, worker, tasks, _is_result)
    return rate_of(delivered, costs)


def measure_from_redis(options: tuple[str, ...], tasks: int, **env: str) -> Rate:
    """Measures a run in which all messages are in Redis before the worker starts. Raises RuntimeError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        url, _server = stack.enter_context(run_redis_server(folder))
        _send_tasks(url, tasks)
        worker = stack.enter_context(celery_worker(Settings(), folder, *options, BENCH_REDIS=url, **env))
        costs = stack.enter_context(watch_costs(worker.process))
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
    """Returns the kwargs of the pages' tasks."""
    while True:
        for event in page_events():
            if isinstance(event, TriggerFired):
                yield b'{"pageReceived":' + event.kwargs + b',"t_importSubject":{"subjectId":42}}'


def _is_result(value: bytes) -> bool:
    return isinstance(_decoder.decode(value, None, 0, 0), TaskFinished)


def _times_done(url: str, worker: Running, tasks: int) -> list[float]:
    """Returns the times at which tasks were acknowledged, by polling the number of remaining messages."""
    times: list[float] = []
    deadline = time.monotonic() + _STALLED_S
    with redis.Redis.from_url(url) as server:
        while len(times) < tasks and time.monotonic() < deadline:
            time.sleep(_POLL_INTERVAL_S)
            worker.check()
            remaining = int(server.llen("celery")) + int(server.hlen("unacked"))
            times += [time.time()] * (tasks - remaining - len(times))
    if len(times) < tasks:
        raise RuntimeError(f"celery stands still after {len(times)} of {tasks} tasks")
    return times
