"""Histories of edition 2 through Kafka and a worker whose clock stands still, so that it fires no timer by itself.

The histories come one after the other, because the jitter of a retry depends on the UID, so that all have the same. A
history ends with the deletion of its sessions, and with the end of their graves. Its records are published at once, and
the worker decides them in batches as large as it finds them. Log times are those of the history.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from confluent_kafka import Producer
from msgspec.structs import replace
from tests.support.edition2.engine_driver import Partition
from tests.support.edition2.state import Json
from tests.support.topic_reader import read_topic
from typing_extensions import override

from triggers.analysis.verify.edition_2_histories import (
    MAIN,
    Edition2Replay,
    show_cancellation,
    show_command,
    show_session,
)
from triggers.client import Coordinates, SessionReader
from triggers.codec import decode_dead_letter, encode_event, encode_key
from triggers.codec.command_codec import decode_command_or_cancellation
from triggers.codec.decision_codec import decode_decision
from triggers.core.commands import CancelTask, RunTask
from triggers.core.decision import Decision
from triggers.core.events import DeletionRequested, Event, RulesPublished, TimerFired
from triggers.core.state.header_codec import decode_header
from triggers.core.state.rows import header_key
from triggers.core.view import SessionView
from triggers.errors import SessionNotFound
from triggers.settings import Settings
from triggers.topology import Topology

QUEUES = ("slow", "fast", "slow-1")
"""Queues that the histories name."""
_REASONS = {"unknown rules": "UnknownRules"}


def stop_the_clock() -> None:
    """Stops the clock of this process at 1970, for a worker that must fire no timer."""
    time.time_ns = lambda: 0


def is_for_the_stream(history: Json) -> bool:
    """Return whether nothing but the records of the history itself reaches its sessions.

    A worker would forward triggers, and expressions would see the names that published rules get here.
    """
    text = json.dumps(history)
    return "$forward" not in text and "session.rules" not in text


def with_own_rules(history: Json, prefix: str) -> Json:
    """Returns the history with other names of published rules, because these outlive its sessions."""
    renamed: Json = json.loads(json.dumps(history))
    for step in renamed["steps"]:
        if step["op"] == "publish":
            step["name"] = prefix + step["name"]
        if step.get("rules") is not None:
            step["rules"] = prefix + step["rules"]
        _rename(step["expect"].get("rules"), prefix)
    _rename(renamed["final"]["rules"], prefix)
    return renamed


def _rename(rules: Json | None, prefix: str) -> None:
    if rules is not None:
        rules["name"] = prefix + rules["name"]


class _Sent(Partition):
    """Decides as the worker must, and keeps what is to be published: also what is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, Event]] = []

    @override
    def apply(self, uid: str, event: Event) -> Decision:
        self.sent.append((uid, event))
        return super().apply(uid, event)

    @override
    def publish(self, rules: RulesPublished) -> None:
        super().publish(rules)
        self.sent.append(("", rules))

    def end(self, at: int) -> None:
        """Deletes all sessions with their graves, and retires all rules."""
        for uid in dict.fromkeys(uid for uid, event in list(self.sent) if uid):
            if self.rows.get(header_key(uid)) is None:
                continue
            self.apply(uid, DeletionRequested(time=at, position=len(self.sent)))
            while (row := self.rows.get(header_key(uid))) is not None:
                due = decode_header(row).wake
                self.apply(uid, TimerFired(instance="", attempt=0, due=due, time=due, position=len(self.sent)))
        newest = {event.name: event for _, event in self.sent if isinstance(event, RulesPublished)}
        for rules in newest.values():
            retired = replace(rules, version=rules.version + 1, match=[], is_default=False, existing="keep", time=at)
            self.publish(retired)


Commands = defaultdict[tuple[str, str], list[Json]]
"""Topic and session -> commands and cancellations, in order, which a batch keeps for each session only."""


@dataclass
class _Expected:
    """What the topics must contain after all histories."""

    commands: Commands = field(default_factory=lambda: defaultdict(list))
    decisions: dict[int, Json] = field(default_factory=dict)
    """The `expect` of each step by its offset."""
    letters: dict[int, str] = field(default_factory=dict)
    """The error of each refused step by its offset."""


class StreamHistories:
    """Runs histories on an installation with one partition and the decision feed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = Topology(settings.namespace)
        self._reader = SessionReader(settings)
        self._producer = Producer({"bootstrap.servers": settings.brokers, "enable.idempotence": True})
        self._expected = _Expected()
        self._last = -1
        self.count = 0

    def run(self, history: Json) -> list[str]:
        """Publishes a history and returns the differences of the engine, and of what the worker then answers."""
        self.count += 1
        own, sent = with_own_rules(history, f"h{self.count}-"), _Sent()
        replay = Edition2Replay(sent)
        differences = replay.differences(own)
        steps = len(sent.sent)
        for (uid, event), offset in zip(sent.sent, self._produce(sent.sent), strict=True):
            expect = own["steps"][event.position]["expect"]
            self._expect(offset, uid, expect)
        final = show_session(self._read())
        if final != replay.final():
            differences.append(f"{own['id']} final: expected {replay.final()}, got {final}")
        sent.end(max(step["at"] for step in own["steps"]))
        self._produce(sent.sent[steps:])
        return differences

    def differences_of_topics(self) -> list[str]:
        """Returns where commands, decisions and dead letters are not what the histories say."""
        expected = self._expected
        found = self._commands()
        different = [
            f"{place} {number}: expected {wanted}, got {command}"
            for place in expected.commands.keys() | found.keys()
            for number, (wanted, command) in enumerate(zip_longest(expected.commands[place], found[place]))
            if wanted != command
        ][:5]
        return [*different, *self._letters(), *self._decisions()]

    def _read(self) -> SessionView:
        """Returns the session `main` after the last record."""
        try:
            return self._reader.read(MAIN, Coordinates(0, self._last))
        except SessionNotFound:
            return Partition().view(MAIN)

    def _commands(self) -> Commands:
        commands: Commands = defaultdict(list)
        for queue in (None, *QUEUES):
            topic = self._names.commands_of(queue)
            for message in read_topic(self._settings, topic):
                record = decode_command_or_cancellation(message.value())
                commands[topic, record.session].append(_shown(record))
        return commands

    def _letters(self) -> Iterator[str]:
        letters = [
            decode_dead_letter(message.value()) for message in read_topic(self._settings, self._names.dead_letters)
        ]
        found = {letter.offset: _REASONS.get(letter.reason, letter.reason) for letter in letters}
        if found != self._expected.letters:
            yield f"dead letters: expected {self._expected.letters}, got {found}"

    def _decisions(self) -> Iterator[str]:
        feed = [decode_decision(message.value()) for message in read_topic(self._settings, self._names.decisions)]
        found = {record.offset: record for record in feed}
        for offset, expect in self._expected.decisions.items():
            record = found.get(offset)
            fired = None if record is None else [fire.trigger for fire in record.fires]
            changed = {} if record is None else dict(record.changes)
            if (
                record is None
                or (record.outcome, fired) != (expect["outcome"], expect.get("fired", []))
                or any(changed.get(name) != status for name, status in expect.get("changed", {}).items())
            ):
                yield f"decision at {offset}: expected {expect}, got {record}"

    def _expect(self, offset: int, uid: str, expect: Json) -> None:
        for key in ("scheduled", "cancel"):
            for command in expect.get(key, []):
                self._expected.commands[self._names.commands_of(command.get("queue")), uid].append(command)
        if expect["outcome"] == "refused":
            self._expected.letters[offset] = expect["error"]
        elif expect["outcome"] not in {"stale", "duplicate"} and uid:  # published rules have no session
            self._expected.decisions[offset] = expect

    def _produce(self, events: list[tuple[str, Event]]) -> list[int]:
        """Publishes records with the log times of their events, and returns their offsets."""
        offsets: list[int] = []
        for uid, event in events:
            self._producer.produce(
                self._names.events,
                encode_event(replace(event, recorded=0)),
                encode_key(uid) if uid else None,
                partition=0,
                timestamp=event.recorded or event.time,
                on_delivery=lambda _, message: offsets.append(message.offset() or 0),
            )
        assert self._producer.flush(60) == 0
        self._last = offsets[-1]
        return offsets


def _shown(record: RunTask | CancelTask) -> Json:
    return show_cancellation(record) if isinstance(record, CancelTask) else show_command(record)
