"""Services that publish events: plain JSON from bare Kafka producers that know the topic and the key, nothing else."""

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

Place = tuple[int, int]
"""Partition and offset."""

_FLUSH_S = 120.0
_OPEN_SESSIONS = 150
_OPEN_LIGHT_SESSIONS = 2000
_HANDFUL = 50
_MAX_UNDER_WAY = 900_000

_partition_of = lru_cache(100_000)(partition_of)


class Published:
    """What the brokers have acknowledged. Millions of records take 12 bytes each."""

    def __init__(self) -> None:
        self._offsets: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))
        self._checksums: defaultdict[int, array[int]] = defaultdict(lambda: array("L"))
        self.unplaced: list[tuple[int, int]] = []
        """Partition and checksum of what is safe at a place that no answer has told: the broker had it already when the
        producer asked again."""
        self.garbage: set[Place] = set()
        self.misplaced: set[Place] = set()
        self.repeated = 0
        """Records that carry the id of an earlier one."""
        self.failed: list[str] = []
        """What a producer gave up; it should not."""

    def __len__(self) -> int:
        return sum(map(len, self._offsets.values()))

    def note(self, place: Place, checksum: int) -> None:
        """A record is safe there; `checksum` is that of its value."""
        self._offsets[place[0]].append(place[1])
        self._checksums[place[0]].append(checksum)

    def on(self, partition: int) -> tuple[array[int], array[int]]:
        """Offset and checksum of everything on a partition, in the order in which it was acknowledged."""
        return self._offsets[partition], self._checksums[partition]


class Service(threading.Thread):
    """One producer, in a thread of its own, until it is told to finish."""

    longest_haste = 10.0
    """The most times faster than usual that it can publish."""

    def __init__(self, name: str, settings: Settings, seed: int, rate: float, limits: Fields = NO_LIMITS) -> None:
        """`rate`: events a second. `limits`: in the configuration of every session."""
        super().__init__(name=name)
        self.limits = limits
        self.published = Published()
        self.haste = 1.0
        """How many times faster than usual."""
        self.quiet: frozenset[int] = frozenset()
        """Partitions whose events wait, in order, until this is empty again."""
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
        """What to publish, a handful at a time."""
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
        """Wait until everything is acknowledged, and note what is not."""
        if left := self._producer.flush(_FLUSH_S):
            self.published.failed.append(f"{self.name}: {left} events are not acknowledged")

    def publish(self, uid: str, event: Fields) -> None:
        """Publish this event as it is: once, and where it belongs."""
        self._count += 1
        self._send(uid.encode(), json.dumps(event | {"id": f"{self.name}-{self._count}"}).encode())

    def finish(self) -> None:
        """Publish nothing new and wait until everything is acknowledged."""
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
        if lot < 0.005:
            self._send(key, self.chance.choice(GARBAGE), self.published.garbage)
        elif lot < 0.01:
            self._send(key, value, self.published.misplaced, elsewhere=True)
            return
        elif lot < 0.02:
            self._send(key, value)
            self.published.repeated += 1
        self._send(key, value)

    def _send(self, key: bytes, value: bytes, note: set[Place] | None = None, *, elsewhere: bool = False) -> None:
        checksum = crc32(value)

        def acknowledged(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.published.failed.append(f"{self.name}: {error.str()}")
                return
            offset = message.offset()
            if offset is None or offset < 0:
                self.published.unplaced.append((message.partition() or 0, checksum))
                return
            place = (message.partition() or 0, offset)
            self.published.note(place, checksum)
            if note is not None:
                note.add(place)

        own = _partition_of(key, self._partitions)
        partition = (own + 1) % self._partitions if elsewhere else own
        while len(self._producer) >= _MAX_UNDER_WAY:  # a broker that accepts nothing
            self._producer.poll(0.1)
        self._producer.produce(self._topic, value, key, partition, on_delivery=acknowledged)


class Steady(Service):
    """Many sessions at once, event by event."""

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
    """Whole sessions, hundreds of events at once, then silence."""

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        number = 0
        while True:
            burst: list[tuple[str, Fields]] = []
            for _ in range(self.chance.randrange(20, 80)):
                burst += [(f"bursty-{number}", event) for event in session(self.chance, self.limits)]
                number += 1
            yield burst


class Giant(Service):
    """One session that only grows."""

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        for event in endless(self.chance, self.limits):
            yield [("giant", event)]


class Light(Service):
    """Thousands of events a second in two thousand sessions at once; one in a hundred causes a command."""

    longest_haste = 3.0

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        running: list[tuple[str, Iterator[Fields]]] = []
        started, handful = 0, list[tuple[str, Fields]]()
        while True:
            while len(running) < _OPEN_LIGHT_SESSIONS:
                running.append((f"light-{started}", light_session(self.chance)))
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
    """Publishes an event on every partition whenever it is asked to; no thread of its own."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__("passer-by", settings, seed, rate=0)
        found = {_partition_of(uid.encode(), self._partitions): uid for uid in map("passer-by-{}".format, range(1000))}
        self._uids = list(found.values())

    def pass_by(self) -> None:
        """Publish, and wait until it is acknowledged."""
        for uid in self._uids:
            self.publish(uid, {"trigger": "passed"})
        self.flush()
