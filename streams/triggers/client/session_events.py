"""`SessionEvents`: reads events from the topic, those of single sessions or of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import cast

from confluent_kafka import Message
from msgspec.structs import replace

from triggers.client.dead_letters import PartitionOffset, read_letters
from triggers.client.owners import Owners
from triggers.client.published_rules import StreamRules
from triggers.client.schema_registry import event_decoder
from triggers.client.session_reader import EventOffsets, SessionReader
from triggers.codec import FORWARDED_TOO_OFTEN, Reason, decode_key, encode_key
from triggers.codec.confluent_framing import is_framed
from triggers.core.events import Event, RulesPublished
from triggers.core.rules_in_log import RulesInLog
from triggers.errors import OwnerUnavailable, SessionNotFound, SettingsError, Undecodable
from triggers.kafka.offset_reads import read_offsets
from triggers.kafka.range_reads import partition_starts, read_range, watermarks
from triggers.kafka.records import Record, headers_of
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

_NO_SCHEMA = {Reason.NO_REGISTRY, Reason.UNKNOWN_SCHEMA}


class SessionEvents:
    """Reads the events that changed sessions. It changes no session and commits no offset.

    It omits events that changed no session: those on another partition than their session's, and dead letters. All
    methods block. They raise BrokerUnavailable, TryAgain if the schema registry does not answer, and SettingsError if
    it is not the registry of the workers.
    """

    def __init__(self, settings: Settings, reader: SessionReader | None = None) -> None:
        self._settings = settings
        self._topic = Topology(settings.namespace).events
        self._owners = Owners(settings)
        self._reader = reader or SessionReader(settings, self._owners)
        self._decoder = event_decoder(settings)

    def read_session(self, uid: str) -> list[Event]:
        """Returns the events of a session in the order in which they were applied.

        Reads them at the offsets in the owner's event index, or with `scan_partitions` if no worker answers. Raises
        SessionNotFound and EventsExpired.
        """
        return self.read_sessions([uid])[uid]

    def read_sessions(self, uids: Iterable[str]) -> dict[str, list[Event]]:
        """Returns the events of several sessions by UID. One consumer reads each partition at most once.

        Raises SessionNotFound and EventsExpired.
        """
        wanted = list(dict.fromkeys(uids))
        try:
            indexes = {uid: self._reader.event_offsets(uid) for uid in wanted}
        except OwnerUnavailable:
            return self.scan_partitions(wanted)
        messages = read_offsets(self._settings, self._topic, _offsets_of_events(indexes.values()))
        return self._with_rules(indexes, _by_session(wanted, self._decode_all(messages, ())))

    def scan_partitions(self, uids: Iterable[str]) -> dict[str, list[Event]]:
        """Returns the events of the sessions by UID, without a worker. It reads their partitions as a whole.

        Raises SessionNotFound if a session has no event on the topic.
        """
        homes = {encode_key(uid): self._owners.partition_of_session(uid) for uid in uids}
        marks = watermarks(self._settings, self._topic, sorted(set(homes.values())))
        messages = read_range(self._settings, self._topic, {partition: low for partition, (low, _) in marks.items()})
        mine = (m for m in messages if not m.key() or homes.get(m.key() or b"") == m.partition())
        sessions = _by_session(map(decode_key, homes), self._decode_log(mine))
        for uid, events in sessions.items():
            if not events:
                raise SessionNotFound(f"there is no event of session {uid!r} on {self._topic}")
        return sessions

    def read_all(self) -> Iterator[tuple[str, Event]]:
        """Yields the session UID and the event of all events on the topic now, in order within each session."""
        starts = partition_starts(self._settings, self._topic)
        messages = read_range(self._settings, self._topic, starts)
        mine = (m for m in messages if not m.key() or partition_of(m.key() or b"", len(starts)) == m.partition())
        return self._decode_log(mine)

    def _with_rules(
        self, indexes: Mapping[str, EventOffsets], sessions: dict[str, list[Event]]
    ) -> dict[str, list[Event]]:
        """Adds the published rules that each session took, at their positions.

        They come from the topic of the rules, because the retention of the events is shorter than the life of rules.
        """
        if any(index.rules for index in indexes.values()):
            known = {(event.name, event.version): event for event in self._published()}
            for uid, index in indexes.items():
                rules = [replace(known[each.name, each.version], position=each.offset) for each in index.rules]
                sessions[uid] = sorted([*sessions[uid], *rules], key=lambda event: event.position)
        return sessions

    def _published(self) -> list[RulesPublished]:
        return StreamRules(self._settings).publications()

    def _decode_log(self, messages: Iterable[Message]) -> Iterator[tuple[str, Event]]:
        """Yields the events of whole partitions, and the published rules of each session before the events to which
        they apply. Rules that retention has removed from a partition come from the topic of the rules.
        """
        published, logs = self._published(), dict[int, RulesInLog]()
        for message, uid, event in self._decoded(messages, self._dead_lettered()):
            partition = message.partition() or 0
            if partition not in logs:
                logs[partition] = _rules_before(event, published)
            if isinstance(event, RulesPublished):
                logs[partition].publish(event)
            else:
                yield from ((uid, rules) for rules in logs[partition].before(uid, event))
                yield uid, event

    def _decode_all(
        self, messages: Iterable[Message], dead: Collection[PartitionOffset]
    ) -> Iterator[tuple[str, Event]]:
        return ((uid, event) for _, uid, event in self._decoded(messages, dead))

    def _decoded(
        self, messages: Iterable[Message], dead: Collection[PartitionOffset]
    ) -> Iterator[tuple[Message, str, Event]]:
        """Yields each message with its session and event. Published rules have no session: their UID is empty."""
        for message in messages:
            coordinates = message.partition() or 0, message.offset() or 0
            if coordinates in dead:
                continue
            try:
                event = self._decode(message)
                uid = "" if isinstance(event, RulesPublished) and not message.key() else decode_key(message.key())
            except Undecodable as error:
                _check_registry(message, error)
            else:
                yield message, uid, event

    def _decode(self, message: Message) -> Event:
        headers = headers_of(cast("Record", message))
        return self._decoder.decode(message.value(), headers, message.offset() or 0, message.timestamp()[1])

    def _dead_lettered(self) -> set[PartitionOffset]:
        letters = (stored.letter for stored in read_letters(self._settings))
        mine = (each for each in letters if each.topic == self._topic and each.reason != FORWARDED_TOO_OFTEN)
        return {(letter.partition, letter.offset) for letter in mine}


def _offsets_of_events(indexes: Iterable[EventOffsets]) -> dict[int, list[int]]:
    """Returns the offsets of the sessions' own events by partition."""
    offsets_by_partition: defaultdict[int, set[int]] = defaultdict(set)
    for index in indexes:
        offsets_by_partition[index.partition] |= set(index.offsets) - {each.offset for each in index.rules}
    return {partition: sorted(offsets) for partition, offsets in offsets_by_partition.items()}


def _rules_before(first: Event, published: Iterable[RulesPublished]) -> RulesInLog:
    """Returns the rules that were published before the first event that a partition still has."""
    log, recorded = RulesInLog(), first.recorded or first.time
    for event in published:
        if event.time < recorded:
            log.publish(replace(event, position=first.position - 1))
    return log


def _check_registry(message: Message, error: Undecodable) -> None:
    """Raises SettingsError if only the schema is missing.

    The event is not a dead letter, so the workers have its schema and have applied it; it must not be omitted.
    """
    if error.reason in _NO_SCHEMA and is_framed(message.value() or b""):
        record = f"{message.topic()} {message.partition()}/{message.offset()}"
        fix = "TRIGGERS_SCHEMA_REGISTRY_URL must name the registry that the workers use"
        raise SettingsError(f"the event at {record} cannot be read: {error.detail}; {fix}") from error


def _by_session(uids: Iterable[str], events: Iterable[tuple[str, Event]]) -> dict[str, list[Event]]:
    sessions: dict[str, list[Event]] = {uid: [] for uid in uids}
    for uid, event in events:
        if uid in sessions:
            sessions[uid].append(event)
    return sessions
