"""`EventCopier`: writes the events of a log to other partitions, and folds them there as its workers would have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, cast
from uuid import uuid4

from confluent_kafka import Message
from msgspec.structs import replace

from triggers.agent.turns.forwards import encode_forward
from triggers.agent.turns.routing import forward_record, is_misplaced
from triggers.codec import EventDecoder, decode_key, encode_dead_letter, encode_event
from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.events import Event
from triggers.core.state.session import Session
from triggers.errors import CallError, NotFound, Undecodable
from triggers.kafka.bulk_sender import BulkRecord, BulkSender
from triggers.kafka.letters import letter_of
from triggers.kafka.own_headers import FORWARDED
from triggers.kafka.records import Header, Record, headers_of, key_of, or_minus_one, timestamp_ms, value_of
from triggers.recovery.folded_partition import FoldedPartition
from triggers.recovery.moved_forwards import MovedForwards
from triggers.recovery.published_copies import PublishedCopy
from triggers.recovery.refused_events import RefusedEvents
from triggers.recovery.renumbered_attempts import RenumberedAttempts, counts_from_deletion
from triggers.recovery.unfinished_commands import UnfinishedCommands
from triggers.topology import Topology, partition_of

NO_OFFSET: Final = -1
"""Offset in the dead letter of an event that is not in the copied log."""
_OWN_PREFIX: Final = "triggers-"
"""How the names of our headers begin. Others may describe the encoding of the value, which changes with the event."""


class EventCopier:
    """Copies and folds events one after another. Their offsets in the new log are counted."""

    def __init__(
        self,
        names: Topology,
        sender: BulkSender,
        folded: Sequence[FoldedPartition],
        decoder: EventDecoder,
        refused: RefusedEvents,
        *,
        is_mirror: bool,
        source_partitions: int,
    ) -> None:
        """`names` are those of the new installation, whose topics are empty."""
        self._names = names
        self._sender = sender
        self._folded = folded
        self._decoder = decoder
        self._refused = refused
        self._is_mirror = is_mirror
        self._source_partitions = source_partitions
        self._forwards = MovedForwards(uuid4().hex[:8])
        self._attempts = RenumberedAttempts()
        self._misplaced: dict[tuple[int, bytes | None, bytes | None], list[Message]] = {}
        self._arrived: Counter[tuple[int, bytes | None, bytes | None]] = Counter()
        self.unfinished = UnfinishedCommands(self._load_session)
        self.ends = dict.fromkeys(range(len(folded)), 0)
        """Partition of the new log -> offset that its next record gets."""
        self.last: dict[int, BulkRecord] = {}
        """Partition of the new log -> its last record so far."""
        self.copied = 0
        self.dead_letters_before = 0
        """Number of records that were dead letters before."""
        self.refused = 0
        """Number of events that were not applied yet and are dead letters now."""

    def publish(self, copy: PublishedCopy) -> None:
        """Publishes a version of rules on all partitions."""
        message = copy.message
        for partition, folded in enumerate(self._folded):
            folded.begin()
            folded.publish(replace(copy.event, position=self.ends[partition]))
            self._send(partition, None, message.value(), _headers(message), timestamp_ms(cast("Record", message)))
        time = timestamp_ms(cast("Record", message))
        key = f"{copy.event.name}/{copy.event.version}".encode()
        self._sender.send(BulkRecord(self._names.rules, 0, key, message.value(), _headers(message), time))

    def copy(self, message: Message) -> None:
        """Copies an event, applies it, and follows what it causes."""
        record = cast("Record", message)
        key = key_of(record)
        if not key or self._refused.match_next(record):
            self.dead_letters_before += 1
        elif is_misplaced(record, key, self._source_partitions):
            self._record_misplaced(message)
        else:
            self._apply(record, key)

    def late_events(self) -> Iterator[BulkRecord]:
        """Yields the events that a worker of the old installation had not yet published, for those of the new one."""
        for forward, count in self._forwards.missing():
            output = encode_forward(forward, self._names.events, count)
            yield BulkRecord(
                output.topic, self._partition_of(output.key), output.key, output.value, output.headers or ()
            )
        for content, messages in self._misplaced.items():
            for message in messages[self._arrived[content] :]:
                output = forward_record(
                    cast("Record", message), message.key() or b"", self._names.events, len(self._folded)
                )
                yield BulkRecord(output.topic, output.partition, output.key, output.value, output.headers or ())

    def _load_session(self, uid: str) -> Session:
        return self._folded[self._partition_of(uid.encode())].load_session(uid)

    def _partition_of(self, key: bytes | None) -> int:
        return partition_of(key or b"", len(self._folded))

    def _record_misplaced(self, message: Message) -> None:
        content = message.partition() or 0, message.key(), message.value()
        self._misplaced.setdefault(content, []).append(message)

    def _record_forwarded(self, record: Record, headers: Sequence[Header]) -> None:
        for name, value in headers:
            if name == FORWARDED and value is not None and value.isdigit():
                self._arrived[int(value), record.key(), record.value()] += 1

    def _apply(self, record: Record, key: bytes) -> None:
        partition = self._partition_of(key)
        folded, position = self._folded[partition], self.ends[partition]
        folded.begin()
        value, time = value_of(record), timestamp_ms(record)
        try:
            uid = decode_key(key)
            headers = headers_of(record)
            event = self._decoder.decode(value, headers, position, time)
        except Undecodable as error:
            self._refuse(record, error.reason, error.detail)
            return
        moved = self._forwards.rename(uid, self._renumbered(folded, uid, event))
        try:
            session, decision = folded.apply(uid, moved)
        except (CallError, NotFound) as error:
            self._refuse(record, type(error).__name__, str(error))
            return
        if headers:
            self._record_forwarded(record, headers)
        if moved is not event:
            value = _encode_again(moved)
            headers = [(name, text) for name, text in headers or () if name.startswith(_OWN_PREFIX)]
        self._send(partition, key, value, headers or (), time)
        self.copied += 1
        self._follow(session, record, moved, decision)

    def _renumbered(self, folded: FoldedPartition, uid: str, event: Event) -> Event:
        return self._attempts.renumber(folded.load_session(uid), event) if counts_from_deletion(event) else event

    def _follow(self, session: Session, record: Record, event: Event, decision: Decision) -> None:
        if decision.outcome is Outcome.DELETED and session.header.deleted:
            offset = None if self._is_mirror else or_minus_one(record.offset())
            if session.header.tail == [event.position]:
                self._attempts.record_deletion(session.uid, offset)
        self.unfinished.follow(session.uid, event, decision)
        if decision.forwards:
            self._forwards.demand(session.uid, record, decision.forwards)

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        """Makes a dead letter of an event that no worker had applied yet."""
        self.refused += 1
        letter = letter_of(record, reason, detail)
        value = encode_dead_letter(replace(letter, topic=self._names.events, offset=NO_OFFSET))
        self._sender.send(BulkRecord(self._names.dead_letters, 0, record.key(), value))

    def _send(
        self, partition: int, key: bytes | None, value: bytes | None, headers: Sequence[Header], time: int
    ) -> None:
        record = BulkRecord(self._names.events, partition, key, value, headers, time)
        self.ends[partition] += 1
        self.last[partition] = record
        self._sender.send(record)


def _encode_again(event: Event) -> bytes:
    """Encodes an event whose fields were changed. If its producer gave no time, it has none again."""
    return encode_event(event if event.recorded else replace(event, time=0))


def _headers(record: Record | Message) -> list[Header]:
    return list(headers_of(cast("Record", record)) or ())
