"""Watches a running campaign: which commands have no result yet, and for how long nothing moves."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition
from tests.chaos.results import attempt_before
from tests.chaos.tally import Tally

from triggers.codec import EventDecoder
from triggers.codec.avro_records import MARKER
from triggers.codec.command_codec import decode_command_or_cancellation
from triggers.core.commands import CancelTask, RunTask
from triggers.core.events import TaskEvent, TaskStarted
from triggers.errors import Undecodable
from triggers.settings import Settings
from triggers.topology import Topology

_LONGEST_PAUSE_S = 1.0
"""Minimum length of a stall. Without a fault, something happens on every partition more often."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which nothing arrived on a partition, by `time.monotonic()`."""

    what: str
    """`state` for the changelog, `tasks` for results."""
    partition: int
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.ended - self.began


class Watch(threading.Thread):
    """A thread that reads all topics read-committed, without a door. `results` never shrinks."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="watch", daemon=True)
        self.stalls: list[Stall] = []
        self.commands: set[str] = set()
        """Ids of commands that were not cancelled and whose instances have no later attempt."""
        self.results: set[str] = set()
        self.events = 0
        self.tallies: defaultdict[tuple[str, int], Tally] = defaultdict(Tally)
        """Topic and partition -> tally of the records that were read."""
        self._settings = settings
        self._names = Topology(settings.namespace)
        self._decoder = EventDecoder(settings.max_payload_bytes, None)
        self._last: dict[tuple[str, int], float] = {}
        self._counts_stalls = True
        self._ending = threading.Event()

    def outstanding(self) -> int:
        """Returns the number of commands without a result and without a later attempt."""
        return len(self.commands - self.results)

    def end_stalls(self) -> None:
        """Ends all stalls. Called when the applications stop publishing, after which a quiet partition is no stall."""
        self._counts_stalls = False
        now = time.monotonic()
        for (what, partition), last in tuple(self._last.items()):
            self._add_stall(what, partition, last, now)

    def finish(self) -> None:
        """Stops the thread and waits for its end."""
        self._ending.set()
        self.join()

    def run(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.brokers,
                "group.id": "watch",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        consumer.assign(list(self._offsets()))
        while not self._ending.is_set():
            for message in consumer.consume(1000, 0.1):
                if message.error() is None:
                    self._follow(message, time.monotonic())
        consumer.close()

    def _offsets(self) -> Iterator[TopicPartition]:
        for topic in (self._names.events, self._names.commands, self._names.changelog):
            for partition in range(self._settings.partitions):
                yield TopicPartition(topic, partition, 0)

    def _follow(self, message: Message, now: float) -> None:
        topic, partition, value = message.topic() or "", message.partition() or 0, message.value() or b""
        self.tallies[topic, partition].add(message.offset() or 0, value)
        if topic == self._names.changelog:
            self._record_movement("state", partition, now)
        elif topic == self._names.commands:
            self._follow_command(decode_command_or_cancellation(value))
        else:
            self.events += 1
            if value.startswith(MARKER):  # a result or a timer, because the campaign's applications publish JSON
                self._follow_event(message, partition, now)

    def _follow_command(self, command: RunTask | CancelTask) -> None:
        if isinstance(command, CancelTask):
            self.commands.discard(command.id)
            return
        self.commands.discard(attempt_before(command))
        self.commands.add(command.id)

    def _follow_event(self, message: Message, partition: int, now: float) -> None:
        try:
            event = self._decoder.decode(message.value(), None, message.offset() or 0, 0)
        except Undecodable:
            return
        if isinstance(event, TaskEvent) and not isinstance(event, TaskStarted):
            self._record_movement("tasks", partition, now)
            self.results.add(f"{(message.key() or b'').decode()}/{event.instance}/{event.attempt}")

    def _record_movement(self, what: str, partition: int, now: float) -> None:
        last = self._last.get((what, partition))
        if last is not None and self._counts_stalls:
            self._add_stall(what, partition, last, now)
        self._last[what, partition] = now

    def _add_stall(self, what: str, partition: int, began: float, ended: float) -> None:
        if ended - began > _LONGEST_PAUSE_S:
            self.stalls.append(Stall(what, partition, began, ended))
