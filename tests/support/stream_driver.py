"""Replays recorded histories through the stream.

It publishes the events, reads sessions from the worker and reads commands from their topic."""

from __future__ import annotations

import threading
from collections import defaultdict
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, TopicPartition

from triggers import errors
from triggers.client import Coordinates, KafkaPublisher, SessionReader
from triggers.client.published_rules import StreamRules
from triggers.codec import decode_command, decode_dead_letter
from triggers.core.commands import Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.events import Event, RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session
from triggers.errors import SessionNotFound, TriggersError
from triggers.settings import Settings
from triggers.topology import Topology


class OutputFeed:
    """Collects commands by session and dead letters by coordinates, as a read-committed consumer receives them."""

    def __init__(self, settings: Settings) -> None:
        names = Topology(settings.namespace)
        self._options = {"bootstrap.servers": settings.brokers, "enable.auto.commit": False}
        self._topics = (names.commands, names.dead_letters)
        self.commands: defaultdict[str, list[RunTask]] = defaultdict(list)
        self.refused: dict[Coordinates, TriggersError] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._moved = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="output-feed")

    def __enter__(self) -> Self:
        self._probe = Consumer({**self._options, "group.id": "probe", "isolation.level": "read_uncommitted"})
        self._places = [
            TopicPartition(t, p, 0) for t in self._topics for p in self._probe.list_topics(t).topics[t].partitions
        ]
        self._lock = threading.Lock()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._probe.close()

    def catch_up(self) -> None:
        """Waits until the feed has passed every record that is on the topics now."""
        with self._lock:
            ends = {(tp.topic, tp.partition): self._probe.get_watermark_offsets(tp)[1] for tp in self._places}
        with self._moved:
            reached = self._moved.wait_for(
                lambda: all(self._positions.get(place, 0) >= end for place, end in ends.items()), timeout=120
            )
        assert reached, f"the feed is at {self._positions}, the topics end at {ends}"

    def _run(self) -> None:
        consumer = Consumer({**self._options, "group.id": "feed", "isolation.level": "read_committed"})
        consumer.assign(self._places)
        while not self._stopping.is_set():
            messages = consumer.consume(1000, 0.005)
            with self._moved:
                for message in messages:
                    self._take(message.topic() or "", message.value())
                self._positions = {
                    (tp.topic, tp.partition): max(tp.offset, 0) for tp in consumer.position(self._places)
                }
                self._moved.notify_all()
        consumer.close()

    def _take(self, topic: str, value: bytes | None) -> None:
        if topic == self._topics[0]:
            command = decode_command(value or b"")
            self.commands[command.session].append(command)
        else:
            letter = decode_dead_letter(value)
            kind: type[TriggersError] = getattr(errors, letter.reason, TriggersError)
            self.refused[Coordinates(letter.partition, letter.offset)] = kind(letter.detail)


class StreamDriver:
    """A `HistoryDriver` over the stream. Its decisions have no fire records, which cannot be seen from outside."""

    def __init__(
        self, publisher: KafkaPublisher, reader: SessionReader, feed: OutputFeed, registry: StreamRules
    ) -> None:
        self._publisher = publisher
        self._reader = reader
        self._feed = feed
        self._registry = registry
        self._last: dict[str, Coordinates] = {}

    def apply(self, uid: str, event: Event) -> Decision:
        before = len(self._feed.commands[uid])
        self._last[uid] = self._publisher.publish(uid, event)
        self.view(uid)
        self._feed.catch_up()
        if refusal := self._feed.refused.get(self._last[uid]):
            raise refusal
        return Decision(outcome=Outcome.APPLIED, commands=list(self._feed.commands[uid][before:]))

    def publish(self, rules: RulesPublished) -> None:
        self._registry.publish(rules)

    def view(self, uid: str) -> SessionView:
        try:
            return self._reader.read(uid, self._last.get(uid))
        except SessionNotFound:
            return view_session(Session(uid, MemoryRows(), Plans()))
