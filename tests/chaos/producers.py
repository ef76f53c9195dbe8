"""Services that publish events as plain JSON with bare Kafka producers."""

from __future__ import annotations

import json
import threading
import time
from array import array
from collections import defaultdict, deque
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from zlib import crc32

from confluent_kafka import KafkaError, Message, Producer
from tests.chaos.questionnaire import GARBAGE, NO_LIMITS, Fields, endless, light_session, session

from triggers.settings import Settings
from triggers.topology import Topology, partition_of

Coordinates = tuple[int, int]
"""The partition and offset of a record."""

_FLUSH_S = 120.0
_OPEN_SESSIONS = 150
_OPEN_LIGHT_SESSIONS = 2000
_HANDFUL = 50
_MAX_UNDER_WAY = 900_000

_partition_of = lru_cache(100_000)(partition_of)


class Published:
    """The acknowledged records of a producer. Each takes 16 bytes, so that millions fit into memory."""

    def __init__(self) -> None:
        self._offsets: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))
        self._checksums: defaultdict[int, array[int]] = defaultdict(lambda: array("L"))
        self.unplaced: list[tuple[int, int]] = []
        """Partition and checksum of acknowledged records with unknown offset.

        The broker had already written them when the producer sent them again."""
        self.garbage: set[Coordinates] = set()
        """Records that must become dead letters."""
        self.refused: set[int] = set()
        """Checksums of well-formed events that must become dead letters."""
        self.misplaced: set[Coordinates] = set()
        self.repeated = 0
        """Number of records with the id of an earlier one."""
        self.failed: list[str] = []
        """Errors of records that a producer gave up, which must not happen."""

    def __len__(self) -> int:
        return sum(map(len, self._offsets.values()))

    def add(self, coordinates: Coordinates, checksum: int) -> None:
        """Adds an acknowledged record, with the checksum of its value."""
        self._offsets[coordinates[0]].append(coordinates[1])
        self._checksums[coordinates[0]].append(checksum)

    def on(self, partition: int) -> tuple[array[int], array[int]]:
        """Returns offsets and checksums of a partition's records, in the order of their acknowledgement."""
        return self._offsets[partition], self._checksums[partition]


class Service(threading.Thread):
    """A thread with a producer that publishes until `finish` is called."""

    longest_haste = 10.0
    """Maximum of `haste`."""

    def __init__(self, name: str, settings: Settings, seed: int, rate: float, limits: Fields = NO_LIMITS) -> None:
        """`rate` is in events per second. `limits` are part of every session's configuration."""
        super().__init__(name=name)
        self.limits = limits
        self.published = Published()
        self.haste = 1.0
        """Multiple of the usual rate."""
        self.quiet: frozenset[int] = frozenset()
        """Partitions whose events wait, in their order, until this set is empty again."""
        self.chance = Random(f"{seed}/{name}")  # noqa: S311  # repeatable
        self._topic = Topology(settings.namespace).events
        self._partitions = settings.partitions
        self._rate = rate
        self._finishing = threading.Event()
        self._count = 0
        self._waiting: deque[tuple[str, Fields]] = deque()
        self._producer = Producer(
            {
                "bootstrap.servers": settings.brokers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 0,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        """Yields the events to publish, a handful at a time."""
        raise NotImplementedError

    def run(self) -> None:
        due = time.monotonic()
        for handful in self.events():
            for uid, event in handful:
                self._fire_unless_quiet(uid, event)
            due = max(due + len(handful) / (self._rate * min(self.haste, self.longest_haste)), time.monotonic() - 1)
            while (wait := due - time.monotonic()) > 0 and not self._finishing.is_set():
                self._producer.poll(min(wait, 0.05))
            self._producer.poll(0)
            if self._finishing.is_set():
                break
        self._fire_waiting()
        self.flush()

    def flush(self) -> None:
        """Waits until everything is acknowledged, and adds to `failed` if something is not."""
        if remaining := self._producer.flush(_FLUSH_S):
            self.published.failed.append(f"{self.name}: {remaining} events are not acknowledged")

    def publish(self, uid: str, event: Fields) -> None:
        """Publishes the event once and on its key's partition."""
        self._count += 1
        self._send(uid.encode(), json.dumps(event | {"id": f"{self.name}-{self._count}"}).encode())

    def finish(self) -> None:
        """Stops publishing and waits until everything is acknowledged."""
        self._finishing.set()
        self.join()

    def _fire_unless_quiet(self, uid: str, event: Fields) -> None:
        quiet = self.quiet
        if not quiet:
            self._fire_waiting()
        elif _partition_of(uid.encode(), self._partitions) in quiet:
            self._waiting.append((uid, event))
            return
        self._fire(uid, event)

    def _fire_waiting(self) -> None:
        while self._waiting:
            self._fire(*self._waiting.popleft())

    def _fire(self, uid: str, event: Fields) -> None:
        self._count += 1
        key, value = uid.encode(), json.dumps(event | {"id": f"{self.name}-{self._count}"}).encode()
        lot = self.chance.random()
        if isinstance(event, RefusedEvent):
            self.published.refused.add(crc32(value))
            self._send(key, value, self.published.garbage)
            return
        if lot < 0.005:
            self._send(key, self.chance.choice(GARBAGE), self.published.garbage)
        elif lot < 0.01:
            self._send(key, value, self.published.misplaced, elsewhere=True)
            return
        elif lot < 0.02:
            self._send(key, value)
            self.published.repeated += 1
        self._send(key, value)

    def _send(self, key: bytes, value: bytes, kind: set[Coordinates] | None = None, *, elsewhere: bool = False) -> None:
        checksum = crc32(value)

        def acknowledged(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.published.failed.append(f"{self.name}: {error.str()}")
                return
            offset = message.offset()
            if offset is None or offset < 0:
                self.published.unplaced.append((message.partition() or 0, checksum))
                return
            coordinates = (message.partition() or 0, offset)
            self.published.add(coordinates, checksum)
            if kind is not None:
                kind.add(coordinates)

        home = _partition_of(key, self._partitions)
        partition = (home + 1) % self._partitions if elsewhere else home
        while len(self._producer) >= _MAX_UNDER_WAY:  # the broker accepts nothing
            self._producer.poll(0.1)
        self._producer.produce(self._topic, value, key, partition, on_delivery=acknowledged)


class RefusedEvent(Fields):
    """A well-formed event that its session refuses, whatever comes before it."""


class Steady(Service):
    """Interleaves the events of many sessions."""

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        running: dict[str, Iterator[Fields]] = {}
        started = 0
        while True:
            while len(running) < _OPEN_SESSIONS:
                running[f"steady-{started}"] = session(self.chance, self.limits)
                started += 1
            uid = self.chance.choice(list(running))
            event = next(running[uid], None)
            if event is None:
                del running[uid]
            else:
                yield [(uid, event)]


class Bursty(Service):
    """Publishes whole sessions, hundreds of events at once, with pauses."""

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        number = 0
        while True:
            burst: list[tuple[str, Fields]] = []
            for _ in range(self.chance.randrange(20, 80)):
                burst += [(f"bursty-{number}", event) for event in session(self.chance, self.limits)]
                number += 1
            yield burst


class Giant(Service):
    """Publishes one session that only grows."""

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        for event in endless(self.chance, self.limits):
            yield [("giant", event)]


class Light(Service):
    """Publishes thousands of events per second in two thousand sessions, of which one in a hundred causes a command."""

    longest_haste = 3.0

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        running: list[tuple[str, Iterator[Fields]]] = []
        started, handful = 0, list[tuple[str, Fields]]()
        while True:
            while len(running) < _OPEN_LIGHT_SESSIONS:
                running.append((f"light-{started}", light_session(self.chance, self.limits)))
                started += 1
            which = self.chance.randrange(len(running))
            uid, left = running[which]
            if (event := next(left, None)) is None:
                running[which] = running[-1]
                running.pop()
                continue
            handful.append((uid, event))
            if len(handful) == _HANDFUL:
                yield handful
                handful = []


class PasserBy(Service):
    """Publishes an event on every partition when `pass_by` is called. Its thread is never started."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__("passer-by", settings, seed, rate=0)
        uids = {_partition_of(uid.encode(), self._partitions): uid for uid in map("passer-by-{}".format, range(1000))}
        self._uids = list(uids.values())

    def pass_by(self) -> None:
        """Publishes an event on every partition and waits until they are acknowledged."""
        for uid in self._uids:
            self.publish(uid, {"trigger": "passed"})
        self.flush()
