"""Hooks on Kafka: a manager's `_post_fire`, `_post_replay` and `_post_skip`, after the decisions that they report.

A hook sees its session as it is, never as it was before the decision, and with whatever earlier hooks wrote in it. It
runs at least once; what it writes to its own session by way of its manager happens once, also when the hook runs again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Protocol

from msgspec import structs

from triggers.client import Coordinates, KafkaPublisher, SessionReader
from triggers.client.decision_consumer import DecisionConsumer
from triggers.client.topic_range import watermarks
from triggers.codec import DecisionRecord, encode_event
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.settings import Settings
from triggers.storages.stream import EventPublisher, SessionSource, StreamStorage
from triggers.topology import Topology

_SKIP: Final = "skip"
_DIGEST_BYTES: Final = 12


class Hooks(Protocol):
    """What is told of a decision; `TriggerManager` for one."""

    def after_fire(self, trigger_name: str, scheduled: tuple[str, ...]) -> None:
        """A trigger has fired and scheduled these instances."""

    def after_replay(self, original: str, replay: str) -> None:
        """An instance was replayed, as another one."""

    def after_skip(self, instance: str, cascade: bool) -> None:
        """A failed instance was skipped."""


MakeManager = Callable[[str, StreamStorage], Hooks]
"""(key in the session's configuration, or empty; storage) -> the session's manager."""


class HookRunner:
    """Runs the hooks of decisions. For one thread."""

    def __init__(self, settings: Settings, make_manager: MakeManager, group: str = "hooks") -> None:
        """`group`: the consumer group; two groups each run their hooks."""
        self._settings = settings
        self._make_manager = make_manager
        self._group = group
        publisher, reader = KafkaPublisher(settings, source=group), SessionReader(settings)
        self._storages = HookStorages(settings, group, publisher, reader, self._last_event)

    def run(self, stopping: threading.Event) -> None:
        """Run hooks until `stopping` is set. Blocks. Raises KafkaException for what does not pass."""
        forget = self._storages.forget
        DecisionConsumer(self._settings, self.handle, group=self._group, on_assigned=forget).run(stopping)

    def handle(self, record: DecisionRecord) -> None:
        """Run the hooks of one decision. Raises what they raise, and TryAgain when the session cannot be reached."""
        manager = self._make_manager(record.manager, self._storages.of(record))
        for fire in record.fires:
            manager.after_fire(fire.trigger, fire.ready)
        if record.replay is not None:
            manager.after_replay(record.instance, record.replay)
        if record.kind == _SKIP:
            manager.after_skip(record.instance, record.cascade)

    def _last_event(self, partition: int) -> int:
        topic = Topology(self._settings.namespace).events
        _, end = watermarks(self._settings, topic, [partition])[partition]
        return end - 1


class HookStorages:
    """The storages of hooks' managers: they read what the decision and earlier hooks have led to, and write once."""

    def __init__(
        self,
        settings: Settings,
        group: str,
        publisher: EventPublisher,
        source: SessionSource,
        last_event: Callable[[int], int],
    ) -> None:
        """`last_event`: partition of the events -> offset of the last one there."""
        self._settings = settings
        self._group = group
        self._publisher = publisher
        self._source = source
        self._last_event = last_event
        self._reached: dict[int, int] = {}
        """Partition of the events -> offset that every look at a session must include."""

    def of(self, record: DecisionRecord) -> StreamStorage:
        """The storage of the decision's session."""
        reached = self._reached_by(record)
        publisher = _Repeatable(self._publisher, self._group, record, reached)
        current = _Current(self._source, reached)
        return StreamStorage(record.session, self._settings, publisher=publisher, source=current)

    def forget(self) -> None:
        """Another member may have run hooks meanwhile: what they wrote must be seen."""
        self._reached.clear()

    def _reached_by(self, record: DecisionRecord) -> _Reached:
        if record.partition not in self._reached:
            self._reached[record.partition] = self._last_event(record.partition)
        reached = _Reached(self._reached, record.partition)
        reached.include(Coordinates(record.partition, record.offset))
        return reached


class _Reached:
    """How far one partition must have been applied before anybody looks."""

    def __init__(self, offsets: dict[int, int], partition: int) -> None:
        self._offsets = offsets
        self._partition = partition

    @property
    def place(self) -> Coordinates:
        return Coordinates(self._partition, self._offsets.get(self._partition, 0))

    def include(self, written: Coordinates) -> None:
        if written.partition == self._partition:
            self._offsets[self._partition] = max(written.offset, self.place.offset)


class _Current:
    """Reads that include the decision, and everything that a hook has written on its partition."""

    def __init__(self, reader: SessionSource, reached: _Reached) -> None:
        self._reader = reader
        self._reached = reached

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:  # noqa: ARG002  # it is behind `place`
        return self._reader.read(uid, self._reached.place)


class _Repeatable:
    """Gives what a hook writes an id that is the same when the hook runs again."""

    def __init__(self, publisher: EventPublisher, group: str, record: DecisionRecord, reached: _Reached) -> None:
        self._publisher = publisher
        self._cause = f"{group}/{record.partition}/{record.offset}"
        self._reached = reached
        self._written: Counter[str] = Counter()

    def publish(self, uid: str, event: Event) -> Coordinates:
        written = self._publisher.publish(uid, event if event.id else structs.replace(event, id=self._id_of(event)))
        self._reached.include(written)
        return written

    def _id_of(self, event: Event) -> str:
        """Of the content, not only of its number: a second run may see another session and write something else."""
        digest = blake2b(encode_event(event), digest_size=_DIGEST_BYTES).hexdigest()
        self._written[digest] += 1
        return f"{self._cause}/{digest}/{self._written[digest]}"
