"""A session's working copy: its header decoded, its rows read when they are needed, its changes kept until written."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

import msgspec

from triggers.core.config import Plan, Plans, TaskConfig
from triggers.core.header import VERSION, Header, TaskState, decode_header, encode_header
from triggers.core.instance import Instance, decode_instance, encode_instance, instance_name, parse_instance_name
from triggers.core.rows import (
    Rows,
    configuration_key,
    header_key,
    instance_suffix,
    latest_suffix,
    numbered,
    parse_instance_suffix,
    session_prefix,
)
from triggers.errors import InstanceNotFound

EMPTY: Final = b"{}"
NO_PAYLOAD: Final = 0
"""The payload `{}`, which has no row."""

_INDEX_CHUNK = 32
_DIGEST_BYTES = 8
_ID_CHUNK_BYTES = 32 * _DIGEST_BYTES
_ID_CHUNKS = 32
"""Sealed chunks that are kept: 1,024 ids, and up to 32 more in the header."""

_encode = msgspec.msgpack.Encoder().encode
_decode_positions = msgspec.msgpack.Decoder(list[int]).decode


class Session:
    """One session over the committed rows of its partition.

    It may be kept from batch to batch as long as nobody else writes the session's rows and its `changes` are written;
    after an aborted transaction it must be dropped. Not thread-safe.
    """

    def __init__(self, uid: str, rows: Rows, plans: Plans) -> None:
        self.uid = uid
        self._rows = rows
        self._plans = plans
        self._prefix = session_prefix(uid)
        self._key = header_key(uid)
        stored = rows.get(self._key)
        self.exists = stored is not None
        """Whether anything has happened in it."""
        self.header = decode_header(stored) if stored else Header()
        if self.header.version != VERSION:
            raise RuntimeError(f"session {uid!r} is stored in version {self.header.version}, this is {VERSION}")
        self.plan: Plan = plans.load(self.header.configuration, rows)
        self._touched = False
        self._writes: dict[bytes, bytes | None] = {}
        self._instances: dict[tuple[str, int], Instance] = {}
        self._changed: dict[tuple[str, int], Instance] = {}
        self._ids: set[bytes] | None = None

    # -- rows ---------------------------------------------------------------------------------------------------------

    def changes(self) -> dict[bytes, bytes | None]:
        """Rows to write (None: to delete) since the last call; rows that are not hot are let go."""
        changes, self._writes = self._writes, {}
        for (task, number), instance in self._changed.items():
            changes[self._prefix + instance_suffix(task, number)] = encode_instance(instance)
        self._instances, self._changed = {}, {}
        if self._touched:
            changes[self._key] = encode_header(self.header)
            self._touched = False
        return changes

    def write(self, key: bytes, row: bytes | None) -> None:
        """Write, or delete, a row that is the partition's."""
        self._writes[key] = row

    def _write_own(self, suffix: bytes, row: bytes | None) -> None:
        self._writes[self._prefix + suffix] = row

    def _own(self, suffix: bytes) -> bytes | None:
        key = self._prefix + suffix
        return self._writes[key] if key in self._writes else self._rows.get(key)

    # -- instances ----------------------------------------------------------------------------------------------------

    def task_state(self, task: str) -> TaskState:
        """The task's part of the header, made if it is not there."""
        state = self.header.tasks.get(task)
        if state is None:
            state = self.header.tasks[task] = TaskState()
        return state

    def instance(self, task: str, number: int) -> Instance:
        """The instance, to read. Raises InstanceNotFound."""
        instance = self._instances.get((task, number))
        if instance is None:
            row = self._own(instance_suffix(task, number))
            if row is None:
                raise InstanceNotFound(f"session {self.uid!r} has no instance {instance_name(task, number)!r}")
            instance = self._instances[task, number] = decode_instance(row)
        return instance

    def change(self, task: str, number: int) -> Instance:
        """The instance, to change; it is written. Raises InstanceNotFound."""
        instance = self.instance(task, number)
        self._changed[task, number] = instance
        return instance

    def find(self, name: str) -> tuple[str, int, Instance]:
        """Task, number and instance of a name, to read. Raises InstanceNotFound."""
        task, number = parse_instance_name(name)
        return task, number, self.instance(task, number)

    def add_instance(self, task: str, instance: Instance) -> int:
        """Add it to the task; its number."""
        state = self.task_state(task)
        number = state.count
        state.count += 1
        state.unresolved += 1
        self.header.instances += 1
        self._instances[task, number] = self._changed[task, number] = instance
        return number

    def instances(self) -> Iterator[tuple[str, int, Instance]]:
        """Every instance, as stored; a query, not for the hot path. Changes must have been written."""
        for key, row in self._rows.scan(self._prefix + b"i"):
            yield *parse_instance_suffix(key[len(self._prefix) :]), decode_instance(row)

    # -- payloads -----------------------------------------------------------------------------------------------------

    def add_payload(self, payload: bytes) -> int:
        """Keep a payload; its number."""
        if payload == EMPTY:
            return NO_PAYLOAD
        self.header.payloads += 1
        self._write_own(numbered(b"p", self.header.payloads), payload)
        return self.header.payloads

    def payload(self, number: int) -> bytes:
        """The payload's JSON."""
        if number == NO_PAYLOAD:
            return EMPTY
        payload = self._own(numbered(b"p", abs(number)))
        if payload is None:
            raise RuntimeError(f"session {self.uid!r} has no payload {number}")
        return payload

    # -- latest kwargs ------------------------------------------------------------------------------------------------

    def set_latest(self, trigger: str, payload: int, *, held: bool) -> None:
        """Note the latest kwargs of a trigger in use. `held`: an instance has this payload too.

        A payload that nobody holds goes when its trigger fires again.
        """
        before = self.header.latest.get(trigger, NO_PAYLOAD)
        if before < 0:
            self._write_own(numbered(b"p", -before), None)
        self.header.latest[trigger] = payload if held else -payload

    def take_latest(self, trigger: str) -> int:
        """The trigger's latest payload, for an instance to hold. The trigger must have fired."""
        payload = abs(self.header.latest[trigger])
        self.header.latest[trigger] = payload
        return payload

    def set_loose(self, trigger: str, kwargs: bytes) -> None:
        """Note the latest kwargs of a trigger that no rule uses, in a row of its own."""
        suffix = latest_suffix(trigger)
        if self._own(suffix) is None:
            self.header.loose += 1
        self._write_own(suffix, kwargs)

    def loose(self) -> Iterator[tuple[str, bytes]]:
        """Latest kwargs of triggers that no rule uses; a query. Changes must have been written."""
        start = len(self._prefix) + 1
        for key, kwargs in self._rows.scan(self._prefix + b"l"):
            yield key[start:].decode(), kwargs

    # -- configuration ------------------------------------------------------------------------------------------------

    def merged(self, configuration: bytes) -> Plan:
        """What the configuration would become. Raises InvalidConfiguration."""
        return self._plans.merge(self.plan, configuration)

    def configure(self, plan: Plan) -> None:
        """Take a configuration over; triggers that it begins to use move into the header."""
        self.plan = plan
        self.header.configuration = plan.digest
        if self._rows.get(configuration_key(plan.digest)) is None:
            self.write(configuration_key(plan.digest), plan.text)
        if self.header.loose:
            for trigger in plan.by_trigger:
                self._move_into_header(trigger)

    def _move_into_header(self, trigger: str) -> None:
        suffix = latest_suffix(trigger)
        kwargs = None if trigger in self.header.latest else self._own(suffix)
        if kwargs is not None:
            self.header.latest[trigger] = -self.add_payload(kwargs)
            self._write_own(suffix, None)
            self.header.loose -= 1

    def task_as_scheduled(self, task: str, instance: Instance) -> TaskConfig | None:
        """The rule under which the instance was scheduled; None: it never was."""
        if not instance.configuration:
            return None
        return self._plans.load(instance.configuration, self._rows).tasks.get(task)

    # -- events -------------------------------------------------------------------------------------------------------

    def note_event(self, position: int, time: int) -> None:
        """Put an event into the index of the session."""
        header = self.header
        if not self.exists:
            self.exists = True
            header.created = time
        header.modified = max(header.modified, time)
        header.events += 1
        header.tail.append(position)
        if len(header.tail) == _INDEX_CHUNK:
            self._write_own(numbered(b"x", header.chunks), _encode(header.tail))
            header.chunks += 1
            header.tail = []
        self._touched = True

    def positions(self) -> Iterator[int]:
        """Positions of all the session's events; a query."""
        for number in range(self.header.chunks):
            if row := self._own(numbered(b"x", number)):
                yield from _decode_positions(row)
        yield from self.header.tail

    def knows_id(self, event_id: str) -> bool:
        """Whether an event of that id is in the dedupe window."""
        if self._ids is None:
            self._ids = set(self._stored_ids())
        return _digest(event_id) in self._ids

    def note_id(self, event_id: str) -> None:
        """Put an id into the dedupe window; ask `knows_id` first."""
        header, digest = self.header, _digest(event_id)
        header.ids += digest
        if self._ids is not None:
            self._ids.add(digest)
        if len(header.ids) == _ID_CHUNK_BYTES:
            self._write_own(numbered(b"d", header.id_chunks % _ID_CHUNKS), header.ids)
            header.id_chunks += 1
            header.ids = b""
            self._ids = None

    def _stored_ids(self) -> Iterator[bytes]:
        rows = [self._own(numbered(b"d", n)) for n in range(min(self.header.id_chunks, _ID_CHUNKS))]
        for chunk in (*rows, self.header.ids):
            for start in range(0, len(chunk or b""), _DIGEST_BYTES):
                yield (chunk or b"")[start : start + _DIGEST_BYTES]


def _digest(event_id: str) -> bytes:
    return blake2b(event_id.encode(), digest_size=_DIGEST_BYTES).digest()
