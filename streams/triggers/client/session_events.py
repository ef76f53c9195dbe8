"""Reads events back from the topic: one session's by its owner's index, or everybody's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import cast

from confluent_kafka import Message

from triggers.client.event_decoder import event_decoder
from triggers.client.owners import Owners
from triggers.client.session_reader import SessionReader
from triggers.client.stored_letters import stored_letters
from triggers.client.topic_places import read_places
from triggers.client.topic_range import partition_starts, read_range, watermarks
from triggers.codec import Reason, decode_key, encode_key
from triggers.codec.confluent_framing import is_framed
from triggers.core.events import Event
from triggers.errors import OwnerUnavailable, SessionNotFound, SettingsError, Undecodable
from triggers.kafka.records import Record, headers_of
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

Place = tuple[int, int]
"""Partition and offset."""

_NO_SCHEMA = {Reason.NO_REGISTRY, Reason.UNKNOWN_SCHEMA}


class SessionEvents:
    """A consumer and nothing else: it changes no session and commits no offset.

    What lies on another partition than its session's, and what became a dead letter, has changed no session and is
    left out. Blocks; raises BrokerUnavailable, TryAgain when the schema registry does not answer, SettingsError when it
    is not the one that the workers ask.
    """

    def __init__(self, settings: Settings, reader: SessionReader | None = None) -> None:
        self._settings = settings
        self._topic = Topology(settings.namespace).events
        self._owners = Owners(settings)
        self._reader = reader or SessionReader(settings, self._owners)
        self._decoder = event_decoder(settings)

    def of(self, uid: str) -> list[Event]:
        """The session's events, as they were applied; read at their offsets, or (no worker answers) by `scan`.

        Raises SessionNotFound, EventsExpired.
        """
        return self.of_each([uid])[uid]

    def of_each(self, uids: Iterable[str]) -> dict[str, list[Event]]:
        """The events of several sessions, by one consumer that passes over each partition once at most.

        Raises SessionNotFound, EventsExpired.
        """
        wanted = list(dict.fromkeys(uids))
        try:
            places = self._places(wanted)
        except OwnerUnavailable:
            return self.scan(wanted)
        return _by_session(wanted, self._decoded(read_places(self._settings, self._topic, places), ()))

    def scan(self, uids: Iterable[str]) -> dict[str, list[Event]]:
        """The sessions' events from their whole partitions, without asking a worker. Raises SessionNotFound."""
        homes = {encode_key(uid): self._owners.partition(uid) for uid in uids}
        marks = watermarks(self._settings, self._topic, sorted(set(homes.values())))
        messages = read_range(self._settings, self._topic, {partition: low for partition, (low, _) in marks.items()})
        mine = (m for m in messages if homes.get(m.key() or b"") == m.partition())
        found = _by_session(map(decode_key, homes), self._decoded(mine, self._dead()))
        for uid, events in found.items():
            if not events:
                raise SessionNotFound(f"there is no event of session {uid!r} on {self._topic}")
        return found

    def every(self) -> Iterator[tuple[str, Event]]:
        """Session and event of all that is on the topic now; those of one session are in their order."""
        starts = partition_starts(self._settings, self._topic)
        messages = read_range(self._settings, self._topic, starts)
        mine = (m for m in messages if partition_of(m.key() or b"", len(starts)) == m.partition())
        return self._decoded(mine, self._dead())

    def _places(self, uids: Iterable[str]) -> dict[int, list[int]]:
        """Partition -> offsets."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for uid in uids:
            places = self._reader.event_places(uid)
            found[places.partition] += places.offsets
        return {partition: sorted(offsets) for partition, offsets in found.items()}

    def _decoded(self, messages: Iterable[Message], dead: Collection[Place]) -> Iterator[tuple[str, Event]]:
        for message in messages:
            place = message.partition() or 0, message.offset() or 0
            if place in dead:
                continue
            try:
                found = decode_key(message.key()), self._event(message)
            except Undecodable as error:
                _check_registry(message, error)
            else:
                yield found

    def _event(self, message: Message) -> Event:
        headers = headers_of(cast("Record", message))
        return self._decoder.decode(message.value(), headers, message.offset() or 0, message.timestamp()[1])

    def _dead(self) -> set[Place]:
        letters = (stored.letter for stored in stored_letters(self._settings))
        return {(letter.partition, letter.offset) for letter in letters if letter.topic == self._topic}


def _check_registry(message: Message, error: Undecodable) -> None:
    """An event that is no dead letter was applied, so the workers had its schema: to leave it out would be a lie."""
    if error.reason in _NO_SCHEMA and is_framed(message.value() or b""):
        place = f"{message.topic()} {message.partition()}/{message.offset()}"
        fix = "TRIGGERS_SCHEMA_REGISTRY_URL must name the registry that the workers ask"
        raise SettingsError(f"the event at {place} cannot be read: {error.detail}; {fix}") from error


def _by_session(uids: Iterable[str], events: Iterable[tuple[str, Event]]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {uid: [] for uid in uids}
    for uid, event in events:
        if uid in found:
            found[uid].append(event)
    return found
