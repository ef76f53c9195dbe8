"""Our agent and Kafka Streams alone: the same events in, the same commands out, and no task runs.

Both get their triggers as plain JSON. Our results and rules come in Avro, which has no plain JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import msgspec
from confluent_kafka.admin import AdminClient

from benchmarks.contenders import AGENT
from benchmarks.peers.kafka_streams import JAVA_OPTIONS, build_program
from benchmarks.processes import Running, run_command
from benchmarks.workload import RULES
from triggers.codec import decode_command, encode_event
from triggers.core.events import ConfigurationUpdated, TaskFinished
from triggers.settings import Settings

Json = dict[str, object]
SUBJECT: Json = {"subjectId": 42}
"""The result of the task that completion runs."""
_RESULT = msgspec.json.encode(SUBJECT)

AT_FULL_SPEED_MS = 5
AT_ONCE_MS = 0
"""Milliseconds for which the producer of Kafka Streams collects records."""


class Command(NamedTuple):
    """A command of a session. Two commands are equal if the same task runs with the same kwargs."""

    session: str
    instance: str
    run: str
    kwargs: str


class _JsonCommand(msgspec.Struct):
    instance: str
    run: str
    kwargs: Json


def command_of(session: str, instance: str, run: str, kwargs: Json) -> Command:
    """Returns a command with its kwargs as JSON with sorted keys."""
    return Command(session, instance, run, json.dumps(kwargs, sort_keys=True))


class StreamProcessor(Protocol):
    """A program that reads events and writes commands."""

    @property
    def name(self) -> str:
        """Returns the name in tables."""

    @property
    def rules(self) -> tuple[bytes, ...]:
        """Returns the events that give a session its rules."""

    @property
    def subject_finished(self) -> bytes:
        """Returns the event with the result of the subject's task."""

    def start(self, settings: Settings, folder: Path, linger_ms: int) -> AbstractContextManager[Running]:
        """Runs the program on an installation until the block ends."""

    def decode(self, session: str, value: bytes) -> Command:
        """Decodes a command of a session."""


class AgentAlone:
    """Our agent. Its rules are data, which come with each session's first event."""

    name = "triggers agent"
    rules: tuple[bytes, ...] = (encode_event(ConfigurationUpdated(configuration=msgspec.json.encode(RULES))),)
    subject_finished = encode_event(TaskFinished(instance="t_importSubject#0", attempt=1, result=_RESULT))

    def start(self, settings: Settings, folder: Path, linger_ms: int) -> AbstractContextManager[Running]:  # noqa: ARG002
        """Runs one agent. It sends what a transaction has when the transaction ends, so it has no linger."""
        return AGENT.start(settings, folder)

    def decode(self, session: str, value: bytes) -> Command:
        """Decodes Avro."""
        command = decode_command(value)
        return command_of(session, command.instance, command.run, msgspec.json.decode(command.kwargs, type=Json))


@dataclass(frozen=True)
class KafkaStreams:
    """The program in Java, exactly once. Its rules are code."""

    name: str
    state: str
    """`session` for all of a session in one value, or `rows` for a row a page beside it."""
    commit_ms: int
    rules: ClassVar[tuple[bytes, ...]] = ()
    subject_finished = msgspec.json.encode({"finished": "t_importSubject#0", "result": SUBJECT})

    @contextmanager
    def start(self, settings: Settings, folder: Path, linger_ms: int) -> Iterator[Running]:
        """Runs the program with one stream thread, and deletes its changelog at the end. Raises SettingsError."""
        arguments = [settings.brokers, settings.namespace, str(folder), self.state, str(self.commit_ms), str(linger_ms)]
        command = ["java", *JAVA_OPTIONS, "-cp", build_program(), "questionnaire.Questionnaire", *arguments]
        try:
            with run_command("kafka-streams", command, folder) as program:
                yield program
        finally:
            _delete_internal_topics(settings)

    def decode(self, session: str, value: bytes) -> Command:
        """Decodes JSON."""
        command = msgspec.json.decode(value, type=_JsonCommand)
        return command_of(session, command.instance, command.run, command.kwargs)


def _delete_internal_topics(settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    prefix = f"{settings.namespace}.streams-"
    topics = [topic for topic in admin.list_topics(timeout=30).topics if topic.startswith(prefix)]
    for future in admin.delete_topics(topics).values() if topics else ():
        future.result(timeout=30)


AGENT_ALONE = AgentAlone()
EQUAL_WORK = KafkaStreams("Kafka Streams, commit 100 ms, a row a page: equal work", "rows", 100)
ONE_VALUE = KafkaStreams("Kafka Streams, commit 100 ms, a session in one value", "session", 100)
ONE_VALUE_10_MS = KafkaStreams("Kafka Streams, commit 10 ms, a session in one value", "session", 10)
PROCESSORS: tuple[StreamProcessor, ...] = (EQUAL_WORK, ONE_VALUE, ONE_VALUE_10_MS, AGENT_ALONE)
