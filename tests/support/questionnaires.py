"""Questionnaire sessions as an application publishes them: plain JSON from a bare producer."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from confluent_kafka import Producer

from triggers.settings import Settings
from triggers.topology import Topology

Fields = dict[str, Any]
Headers = Sequence[tuple[str, bytes]]

CONFIGURATION: Fields = {
    "t_importSubject": {"after": ["firstPageReceived", "questionnaireComplete"], "run": "app.tasks.ImportSubject"},
    "t_importResponses": {
        "after": ["t_importSubject"],
        "andEvery": "pageReceived",
        "run": "app.tasks.ImportResponses",
    },
    "t_importBrowserMetadata": {
        "after": ["t_importSubject", "pageReceived"],
        "unless": ["isEmbeddedApplication"],
        "run": "app.tasks.ImportBrowserMetadata",
    },
}


def questionnaire(pages: int, late_pages: int = 1) -> Iterator[Fields]:
    """Returns the events of one session, with some pages after the import of the subject."""
    yield {"configuration": CONFIGURATION}
    yield {"trigger": "firstPageReceived", "kwargs": {"responses": {"name": "Marcus"}}}
    for page in range(pages - late_pages):
        yield {"trigger": "pageReceived", "kwargs": {"page": page, "responses": {"q": "x" * 40}}}
    yield {"trigger": "questionnaireComplete"}
    yield {"type": "finished", "instance": "t_importSubject#0", "attempt": 1, "result": {"subjectId": 42}}
    for page in range(pages - late_pages, pages):
        yield {"trigger": "pageReceived", "kwargs": {"page": page, "responses": {"q": "x" * 40}}}


def interleaved(sessions: int, pages: int, prefix: str = "s") -> Iterator[tuple[str, Fields]]:
    """Interleaves the events of many sessions."""
    running = {f"{prefix}{n}": questionnaire(pages) for n in range(sessions)}
    while running:
        for uid in list(running):
            event = next(running[uid], None)
            if event is None:
                del running[uid]
            else:
                yield uid, event


class Application:
    """A service that publishes events. All it knows of Triggers is the topic, the key and three JSON fields."""

    def __init__(self, settings: Settings, compression: str = "none") -> None:
        self._topic = Topology(settings.namespace).events
        self._producer = Producer(
            {
                "bootstrap.servers": settings.brokers,
                "compression.type": compression,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 2,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self.published = 0
        self._failed: list[str] = []

    def fire(self, uid: str, event: Fields, *, partition: int = -1, headers: Headers = ()) -> None:
        """Publishes an event."""
        self.send(uid.encode(), json.dumps(event).encode(), partition=partition, headers=headers)

    def send(self, key: bytes | None, value: bytes | None, *, partition: int = -1, headers: Headers = ()) -> None:
        """Publishes any bytes."""
        self._producer.produce(
            self._topic, value, key, partition, on_delivery=self._note, headers=[(name, mark) for name, mark in headers]
        )
        self._producer.poll(0)

    def flush(self) -> None:
        """Waits until everything is acknowledged."""
        assert self._producer.flush(60) == 0
        assert self._failed == []

    def _note(self, error: object, _message: object) -> None:
        self.published += error is None
        if error is not None:
            self._failed.append(str(error))


class Load:
    """Publishes sessions at a fixed rate from a thread, until the `with` ends."""

    def __init__(self, settings: Settings, *, events_per_s: int, sessions: int = 200, pages: int = 20) -> None:
        self._application = Application(settings)
        self._rate = events_per_s
        self._events = itertools.chain.from_iterable(
            interleaved(sessions, pages, f"round{n}-") for n in itertools.count()
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Application:
        self._thread.start()
        return self._application

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._application.flush()

    def _run(self) -> None:
        started, sent = time.monotonic(), 0
        while not self._stop.wait(0.01):
            due = int((time.monotonic() - started) * self._rate)
            for uid, event in itertools.islice(self._events, due - sent):
                self._application.fire(uid, event)
            sent = due
