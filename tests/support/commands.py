"""Writes commands as an agent does, and reads the results."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaException, Producer
from tests.support.celery_process import CeleryProcess
from tests.support.topic_reader import read_topic, wait_until

from triggers.codec import EventDecoder, encode_cancellation, encode_command
from triggers.core.commands import CancelTask, RunTask
from triggers.core.events import Event, TaskEvent, TaskStarted
from triggers.settings import Settings
from triggers.topology import Topology

_ANY = -1
"""Partition number with which librdkafka chooses the partition by the key."""

Results = dict[str, list[TaskEvent]]
"""Task id -> results, in order."""


def make_command(run: str, session: str = "s1", number: int = 0, *, attempt: int = 1, **fields: Any) -> RunTask:  # noqa: ANN401  # fields of RunTask
    """Makes a command for an instance that is named after its task."""
    kwargs = json.dumps(fields.pop("kwargs", {})).encode()
    name = run.rpartition(".")[2]
    return RunTask(session=session, instance=f"t_{name}#{number}", attempt=attempt, run=run, kwargs=kwargs, **fields)


def issue_commands(settings: Settings, commands: Iterable[RunTask], *, partition: int | None = None) -> None:
    """Writes commands to the topics of their queues in one transaction, as an agent does."""
    producer = _transactional(settings)
    names, place = Topology(settings.namespace), _ANY if partition is None else partition
    for command in commands:
        producer.produce(names.commands_of(command.queue), encode_command(command), command.session.encode(), place)
        producer.poll(0)
    producer.commit_transaction(60)


def issue_cancellations(settings: Settings, commands: Iterable[RunTask], *, terminate: bool = False) -> None:
    """Writes the cancellations of commands in one transaction, as an agent does."""
    producer = _transactional(settings)
    names = Topology(settings.namespace)
    for one in commands:
        cancellation = CancelTask(
            session=one.session, instance=one.instance, attempt=one.attempt, terminate=terminate, queue=one.queue
        )
        producer.produce(names.commands_of(one.queue), encode_cancellation(cancellation), one.session.encode())
    producer.commit_transaction(60)


def issue_in_transactions(settings: Settings, transactions: Iterable[Iterable[RunTask]], *, partition: int) -> None:
    """Writes groups of commands to one partition, each group in a transaction."""
    producer = _transactional(settings)
    topic = Topology(settings.namespace).commands
    for number, commands in enumerate(transactions):
        if number:
            producer.begin_transaction()
        for command in commands:
            producer.produce(topic, encode_command(command), command.session.encode(), partition)
        producer.commit_transaction(60)


def issue_bytes(settings: Settings, value: bytes | None, key: bytes | None = b"s1") -> None:
    """Writes any bytes to the topic."""
    producer = _transactional(settings)
    producer.produce(Topology(settings.namespace).commands, value, key, headers={"h": b"1"})
    producer.commit_transaction(60)


def _transactional(settings: Settings) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": settings.brokers,
            "partitioner": "murmur2_random",
            "transactional.id": f"{settings.namespace}-test",
            "queue.buffering.max.messages": 1_000_000,
            "retry.backoff.ms": 2,
        }
    )
    producer.init_transactions(60)
    producer.begin_transaction()
    return producer


def read_events(settings: Settings) -> list[tuple[str, Event]]:
    """Reads every event of the topic, with its session."""
    decoder = EventDecoder(settings.max_payload_bytes)
    messages = read_topic(settings, Topology(settings.namespace).events)
    return [
        ((m.key() or b"").decode(), decoder.decode(m.value(), None, m.offset() or 0, m.timestamp()[1]))
        for m in messages
    ]


def read_results(settings: Settings) -> Results:
    """Reads every result, by task id. `TaskStarted` is not a result."""
    by_task: Results = defaultdict(list)
    for session, event in read_events(settings):
        if isinstance(event, TaskEvent) and not isinstance(event, TaskStarted):
            by_task[f"{session}/{event.instance}/{event.attempt}"].append(event)
    return by_task


def wait_for_results(
    settings: Settings, commands: Iterable[RunTask], worker: CeleryProcess | None = None, timeout_s: float = 60
) -> Results:
    """Waits until every command has a result. Fails at once when the worker has ended."""
    wanted = {command.id for command in commands}
    by_task: Results = {}

    def is_complete() -> bool:
        nonlocal by_task
        assert worker is None or worker.running, worker.log_text()[-3000:]
        try:
            by_task = read_results(settings)
        except KafkaException:  # a new topic may have no leader yet
            return False
        return wanted <= by_task.keys()

    try:
        wait_until(is_complete, "every command has a result", timeout_s)
    finally:
        print("without a result:", sorted(wanted - by_task.keys())[:20])  # noqa: T201  # pytest shows it on failure
    return by_task
