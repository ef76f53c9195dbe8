"""Checks that a stream processor writes exactly the commands of the rules, with their kwargs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
from confluent_kafka import Consumer, TopicPartition

from benchmarks.delivery import await_records, publish, reader_options
from benchmarks.peers.stream_processors import AT_FULL_SPEED_MS, SUBJECT, Command, Json, StreamProcessor, command_of
from benchmarks.peers.streams import installation
from benchmarks.workload import Published
from questionnaire.questionnaires import Questionnaire, questionnaires
from triggers.settings import Settings
from triggers.topology import Topology

_QUESTIONNAIRES = 200


def check_commands(program: StreamProcessor, brokers: str) -> bool:
    """Returns True if every command of whole questionnaires is one of the rules, otherwise raises RuntimeError."""
    sessions = questionnaires(_QUESTIONNAIRES, seed=1)
    expected = Counter(command for session in sessions for command in _commands_of(session))
    with installation(brokers) as (settings, folder):
        publish(settings, (event for session in sessions for event in _events_of(session, program)))
        with program.start(settings, folder, AT_FULL_SPEED_MS) as running:
            await_records(settings, Topology(settings.namespace).commands, running, expected.total())
        found = Counter(_written_commands(settings, program))
    compare(program.name, found, expected)
    return True


def compare(name: str, found: Counter[Command], expected: Counter[Command]) -> None:
    """Raises RuntimeError if the commands are not those of the rules."""
    if found != expected:
        surplus, missing = found - expected, expected - found
        raise RuntimeError(
            f"{name} has written {found.total()} commands of {expected.total()};"
            f" {surplus.total()} are wrong, such as {next(iter(surplus), None)}, and {missing.total()} are missing,"
            f" such as {next(iter(missing), None)}"
        )


def _events_of(session: Questionnaire, program: StreamProcessor) -> Iterator[Published]:
    """Yields a session's events. The subject is there as soon as the questionnaire is complete."""
    key = session.uid.encode()
    yield from ((key, value) for value in program.rules)
    for trigger in session.triggers():
        yield key, msgspec.json.encode(trigger)
        if trigger["trigger"] == "questionnaireComplete":
            yield key, program.subject_finished


def _commands_of(session: Questionnaire) -> Iterator[Command]:
    """Yields the commands of the rules."""
    pages = [_kwargs(trigger) for trigger in session.triggers() if trigger["trigger"] == "pageReceived"]
    subject: Json = {"firstPageReceived": {"name": session.name}, "questionnaireComplete": {}}
    yield command_of(session.uid, "t_importSubject#0", "app.tasks.ImportSubject", subject)
    for number, page in enumerate(pages):
        kwargs: Json = {"pageReceived": page, "t_importSubject": SUBJECT}
        yield command_of(session.uid, f"t_importResponses#{number}", "app.tasks.ImportResponses", kwargs)
    if not session.embedded:
        kwargs = {"pageReceived": pages[0], "t_importSubject": SUBJECT}
        yield command_of(session.uid, "t_importBrowserMetadata#0", "app.tasks.ImportBrowserMetadata", kwargs)


def _kwargs(trigger: Json) -> object:
    return trigger.get("kwargs", {})


def _written_commands(settings: Settings, program: StreamProcessor) -> Iterator[Command]:
    """Yields all commands that are on the topic."""
    reader = Consumer(reader_options(settings) | {"enable.partition.eof": True})
    topic = Topology(settings.namespace).commands
    reader.assign([TopicPartition(topic, partition, 0) for partition in range(settings.partitions)])
    ended = 0
    try:
        while ended < settings.partitions:
            for message in reader.consume(1000, 1.0):
                if message.error():
                    ended += 1
                else:
                    yield program.decode((message.key() or b"").decode(), message.value() or b"")
    finally:
        reader.close()
