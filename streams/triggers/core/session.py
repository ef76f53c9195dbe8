"""A session's working copy: its header decoded, its rows read when they are needed, its changes kept until written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from triggers.core.config import Plans
from triggers.core.dedupe_window import DedupeWindow
from triggers.core.header import (
    VERSION,
    Header,
    HeldByInstance,
    Latest,
    TaskState,
    UnsharedRow,
    decode_header,
    encode_header,
)
from triggers.core.instance import SMALL, Instance, Payload, decode_instance, encode_instance
from triggers.core.instance_names import instance_name, parse_instance_name
from triggers.core.own_rows import HotKind, HotMap, OwnRows
from triggers.core.plan import Plan, TaskConfig
from triggers.core.rows import (
    Rows,
    configuration_key,
    header_key,
    instance_suffix,
    numbered,
    parse_instance_suffix,
)
from triggers.errors import InstanceNotFound

_HOT_TASKS: Final = 32
_HOT_TRIGGERS: Final = 64
_INDEX_CHUNK: Final = 32

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_positions: Final = msgspec.msgpack.Decoder(list[int]).decode
_TASKS: Final = HotKind(b"k", _HOT_TASKS, msgspec.msgpack.Decoder(TaskState).decode)
_LATEST: Final = HotKind[Latest](b"l", _HOT_TRIGGERS, msgspec.msgpack.Decoder(Latest).decode)


class Session:
    """One session over the committed rows of its partition.

    It may be kept from batch to batch as long as nobody else writes the session's rows and its `changes` are written;
    after an aborted transaction it must be dropped. Not thread-safe.
    """

    __slots__ = (
        "_changed",
        "_instances",
        "_key",
        "_payloads",
        "_plans",
        "_rows",
        "_shared",
        "_touched",
        "exists",
        "header",
        "ids",
        "latest",
        "own",
        "plan",
        "tasks",
        "uid",
    )

    def __init__(self, uid: str, rows: Rows, plans: Plans) -> None:
        self.uid = uid
        self._rows = rows
        self._plans = plans
        self.own = OwnRows(uid, rows)
        """The rows beside the header."""
        self._key = header_key(uid)
        self._shared: dict[bytes, bytes | None] = {}
        self._instances: dict[tuple[str, int], Instance] = {}
        self._changed: dict[tuple[str, int], Instance] = {}
        self._payloads: dict[int, bytes] = {}
        """Payload rows to write, by number."""
        stored = rows.get(self._key)
        self._open(_header(uid, stored), there=stored is not None)

    def _open(self, header: Header, *, there: bool) -> None:
        self.header = header
        self.exists = there and not header.deleted
        """Whether anything has happened in it."""
        self.plan: Plan = self._plans.load(header.configuration, self._rows)
        self.tasks = HotMap(header.tasks, self.own, _TASKS, spilled=header.tasks_spilled)
        self.latest = HotMap(header.latest, self.own, _LATEST, spilled=header.latest_spilled)
        self._touched = False
        self.ids = DedupeWindow(header, self.own)

    def reopen(self, header: Header) -> None:
        """Go on as a session that is not there; what was changed is among the rows by then."""
        self._keep_rows()
        self._open(header, there=False)

    def touch(self) -> None:
        """The header has changed."""
        self._touched = True

    # -- rows ---------------------------------------------------------------------------------------------------------

    def changes(self) -> dict[bytes, bytes | None]:
        """Rows to write (None: to delete) since the last call; rows that are not hot are let go."""
        self._keep_rows()
        changes = self.own.take_changes()
        if self._shared:
            changes.update(self._shared)
            self._shared = {}
        if self._touched:
            changes[self._key] = encode_header(self.header)
            self._touched = False
        return changes

    def _keep_rows(self) -> None:
        for (task, number), instance in self._changed.items():
            self.own.put(instance_suffix(task, number), encode_instance(instance))
        for number, payload in self._payloads.items():
            self.own.put(numbered(b"p", number), payload)
        self._instances.clear()
        self._changed.clear()
        self._payloads.clear()

    def write_shared(self, key: bytes, row: bytes | None) -> None:
        """Write, or delete, a row that is the partition's."""
        self._shared[key] = row

    # -- instances ----------------------------------------------------------------------------------------------------

    def task_state(self, task: str) -> TaskState:
        """What the session knows of the task, to read or to change."""
        state = self.tasks.hot.get(task) or self.tasks.get(task)
        if state is None:
            state = self.tasks.hot[task] = TaskState()
        return state

    def instance(self, task: str, number: int) -> Instance:
        """The instance, to read. Raises InstanceNotFound."""
        instance = self._instances.get((task, number))
        if instance is None:
            row = self.own.get(instance_suffix(task, number))
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

    def add_instance(self, task: str, state: TaskState, instance: Instance) -> int:
        """Add it to the task, which is in that state; its number."""
        header = self.header
        number = state.count
        state.count = number + 1
        state.unresolved += 1
        header.instances += 1
        header.unresolved += 1
        self._instances[task, number] = self._changed[task, number] = instance
        return number

    def count_resolved(self, task: str, change: int) -> None:
        """So many instances of the task became resolved (1), or are no longer (-1)."""
        self.task_state(task).unresolved -= change
        self.header.unresolved -= change

    def instances(self) -> Iterator[tuple[str, int, Instance]]:
        """Every instance, as stored; a query, not for the hot path. Changes must have been written."""
        for suffix, row in self.own.scan(b"i"):
            yield *parse_instance_suffix(suffix), decode_instance(row)

    # -- payloads -----------------------------------------------------------------------------------------------------

    def add_payload(self, payload: bytes) -> Payload:
        """Keep a payload; what to hold of it."""
        if len(payload) <= SMALL:
            return payload
        header = self.header
        header.payloads = number = header.payloads + 1
        self._payloads[number] = payload
        return number

    def add_kwargs(self, trigger: str, kwargs: bytes) -> Payload:
        """Store what the trigger is fired with. Overwrites its latest kwargs if no instance refers to them."""
        before = self.latest.hot.get(trigger) or self.latest.get(trigger)
        if not isinstance(before, UnsharedRow) or len(kwargs) <= SMALL:
            return self.add_payload(kwargs)
        self._payloads[before.number] = kwargs
        return before.number

    def payload(self, held: Payload) -> bytes:
        """The payload's JSON."""
        if isinstance(held, bytes):
            return held
        payload = self._payloads.get(held) or self.own.get(numbered(b"p", held))
        if payload is None:
            raise RuntimeError(f"session {self.uid!r} has no payload {held}")
        return payload

    def set_latest(self, trigger: str, latest: Payload | HeldByInstance, *, held: bool) -> None:
        """Store where the trigger's latest kwargs are; an `UnsharedRow` of earlier ones is deleted.

        `held`: an instance refers to them too. Otherwise their row becomes an `UnsharedRow`.
        """
        before = self.latest.hot.get(trigger) or self.latest.get(trigger)
        if isinstance(before, UnsharedRow) and before.number != latest:
            self._payloads.pop(before.number, None)
            self.own.put(numbered(b"p", before.number), None)
        self.latest.hot[trigger] = UnsharedRow(latest) if isinstance(latest, int) and not held else latest

    def take_latest(self, trigger: str) -> Payload | None:
        """The trigger's latest kwargs as a payload, for another instance to hold; None: it never fired."""
        latest = self.latest.hot.get(trigger) or self.latest.get(trigger)
        if isinstance(latest, UnsharedRow):
            latest = self.latest.hot[trigger] = latest.number
        elif isinstance(latest, HeldByInstance):
            latest = self.latest.hot[trigger] = self.add_payload(self._latest_payload(trigger, latest))
        return latest

    def latest_kwargs(self) -> dict[str, bytes]:
        """The latest kwargs of every trigger that has fired; a query: changes must have been written."""
        return {trigger: self._latest_payload(trigger, latest) for trigger, latest in self.latest.all().items()}

    def _latest_payload(self, trigger: str, latest: Latest) -> bytes:
        if isinstance(latest, HeldByInstance):
            return self.payload(self.instance(latest.task, latest.number).kwargs[trigger])
        return self.payload(latest.number if isinstance(latest, UnsharedRow) else latest)

    # -- configuration ------------------------------------------------------------------------------------------------

    def merged(self, configuration: bytes) -> Plan:
        """What the configuration would become. Raises InvalidConfiguration."""
        return self._plans.merge(self.plan, configuration)

    def configure(self, plan: Plan) -> None:
        """Take a configuration over."""
        self.plan = plan
        self.header.configuration = plan.digest
        if self._rows.get(configuration_key(plan.digest)) is None:
            self.write_shared(configuration_key(plan.digest), plan.text)

    def task_as_scheduled(self, task: str, instance: Instance) -> TaskConfig | None:
        """The rule under which the instance was scheduled; None: it never was."""
        if not instance.configuration:
            return None
        return self._plans.load(instance.configuration, self._rows).tasks.get(task)

    # -- events -------------------------------------------------------------------------------------------------------

    def note_event(self, position: int, time: int, *, changed: bool) -> None:
        """Put an event into the index of the session. `changed`: it did something."""
        header = self.header
        if not self.exists:
            self.exists = True
            header.created = header.created or time
        if changed and time > header.modified:
            header.modified = time
        header.events += 1
        tail = header.tail
        tail.append(position)
        if len(tail) == _INDEX_CHUNK:
            self.own.put(numbered(b"x", header.chunks), _encode(tail))
            header.chunks += 1
            header.tail = []
        if len(self.tasks.hot) > _HOT_TASKS or len(self.latest.hot) > _HOT_TRIGGERS:
            self._spill()
        self._touched = True

    def _spill(self) -> None:
        self.tasks.spill()
        self.latest.spill()
        self.header.tasks_spilled, self.header.latest_spilled = self.tasks.spilled, self.latest.spilled

    def positions(self) -> Iterator[int]:
        """Positions of all the session's events; a query."""
        for number in range(self.header.chunks):
            if row := self.own.get(numbered(b"x", number)):
                yield from _decode_positions(row)
        yield from self.header.tail


def _header(uid: str, row: bytes | None) -> Header:
    header = decode_header(row) if row else Header()
    if header.version != VERSION:
        raise RuntimeError(f"session {uid!r} is stored in version {header.version}, this is {VERSION}")
    return header
