"""The working copy of a session: its decoded header, rows that are read on demand, and changes that are not written."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

import msgspec

from triggers.core.events import RulesPublished
from triggers.core.instance_names import instance_name, parse_instance_name
from triggers.core.plan import Plan, Rule
from triggers.core.published import Catalog, PublishedRules
from triggers.core.state.dedupe_window import DedupeWindow
from triggers.core.state.header import (
    Header,
    HeldByInstance,
    Latest,
    TaskState,
    UnsharedRow,
    decode_header,
    encode_header,
    read_header,
)
from triggers.core.state.instance import SMALL, Instance, Payload, decode_instance, encode_instance
from triggers.core.state.plans import Plans
from triggers.core.state.row_kinds import FACTS, HOT_TASKS, HOT_TRIGGERS, LATEST, MEMORY, TASKS, WAITING
from triggers.core.state.rows import (
    Changes,
    Rows,
    configuration_key,
    header_key,
    instance_suffix,
    numbered,
    parse_instance_suffix,
)
from triggers.core.state.session_rows import RowMap, SessionRows, SpillingMap
from triggers.errors import InstanceNotFound

_INDEX_CHUNK: Final = 32

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_positions: Final = msgspec.msgpack.Decoder(list[int]).decode


class Savepoint(NamedTuple):
    """What a session was before changes that may be undone."""

    header: bytes
    exists: bool
    header_changed: bool
    plan: Plan
    rows: Changes
    shared: Changes


class Session:
    """The state of one session, on top of the committed rows of its partition.

    A caller may keep it for several batches if it writes all `changes` and nothing else writes the session's rows. It
    must be dropped after an aborted transaction. It is not thread-safe.
    """

    __slots__ = (
        "_catalog",
        "_changed",
        "_header_changed",
        "_instances",
        "_key",
        "_partition_rows",
        "_payloads",
        "_plans",
        "_shared",
        "exists",
        "facts",
        "header",
        "ids",
        "latest",
        "memories",
        "plan",
        "rows",
        "tasks",
        "uid",
        "waiting",
    )

    def __init__(self, uid: str, rows: Rows, plans: Plans) -> None:
        self.uid = uid
        self._partition_rows = rows
        self._plans = plans
        self.rows = SessionRows(uid, rows)
        """The session's rows, except the header."""
        self._key = header_key(uid)
        self._shared: dict[bytes, bytes | None] = {}
        self._instances: dict[tuple[str, int], Instance] = {}
        self._changed: dict[tuple[str, int], Instance] = {}
        self._payloads: dict[int, bytes] = {}
        """Payload rows that are to be written, by number."""
        self._catalog: Catalog | None = None
        stored = rows.get(self._key)
        self._use_header(read_header(uid, stored), there=stored is not None)

    def _use_header(self, header: Header, *, there: bool, plan: Plan | None = None) -> None:
        self.header = header
        self.exists = there and not header.deleted
        """True if the session has events and is not deleted."""
        self.plan: Plan = plan or self._plans.load(header.configuration, self._partition_rows)
        self.tasks = SpillingMap(header.tasks, self.rows, TASKS, spilled=header.tasks_spilled)
        self.latest = SpillingMap(header.latest, self.rows, LATEST, spilled=header.latest_spilled)
        self.facts = SpillingMap(header.facts, self.rows, FACTS, spilled=header.facts_spilled)
        self.waiting = RowMap(self.rows, WAITING)
        """Waiting instances by task, in edition 2."""
        self.memories = RowMap(self.rows, MEMORY)
        """Contributions that later instances start with, by task, in edition 2."""
        self._header_changed = False
        self.ids = DedupeWindow(header, self.rows)

    def reopen(self, header: Header) -> None:
        """Continues with another header, as a session that does not exist. Changed rows are encoded first."""
        self._encode_rows()
        self._use_header(header, there=False)

    def savepoint(self) -> Savepoint:
        """Returns what `roll_back` needs to undo later changes. Changed rows are encoded first."""
        self._encode_rows()
        header = encode_header(self.header)
        return Savepoint(
            header, self.exists, self._header_changed, self.plan, self.rows.copy_changes(), dict(self._shared)
        )

    def roll_back(self, savepoint: Savepoint) -> None:
        """Undoes all changes since the savepoint."""
        self._encode_rows()
        self.rows.replace_changes(savepoint.rows)
        self._shared = savepoint.shared
        self._use_header(decode_header(savepoint.header), there=False, plan=savepoint.plan)
        self.exists, self._header_changed = savepoint.exists, savepoint.header_changed

    def mark_header_changed(self) -> None:
        """Marks the header as changed, so that `changes` includes it."""
        self._header_changed = True

    # -- rows ---------------------------------------------------------------------------------------------------------

    def changes(self) -> dict[bytes, bytes | None]:
        """Returns the rows to write since the last call, by key; None deletes a row. Forgets cached rows."""
        self._encode_rows()
        changes = self.rows.take_changes()
        if self._shared:
            changes.update(self._shared)
            self._shared = {}
        if self._header_changed:
            changes[self._key] = encode_header(self.header)
            self._header_changed = False
        return changes

    def _encode_rows(self) -> None:
        for (task, number), instance in self._changed.items():
            self.rows.put(instance_suffix(task, number), encode_instance(instance))
        for number, payload in self._payloads.items():
            self.rows.put(numbered(b"p", number), payload)
        self.waiting.write()
        self.memories.write()
        self._instances.clear()
        self._changed.clear()
        self._payloads.clear()

    def write_shared(self, key: bytes, row: bytes | None) -> None:
        """Writes a row that does not belong to the session alone, such as a timer; None deletes it."""
        self._shared[key] = row

    # -- instances ----------------------------------------------------------------------------------------------------

    def task_state(self, task: str) -> TaskState:
        """Returns the state of the task, which the caller may change in place."""
        state = self.tasks.hot.get(task) or self.tasks.get(task)
        if state is None:
            state = self.tasks.hot[task] = TaskState()
        return state

    def instance(self, task: str, number: int) -> Instance:
        """Returns the instance, read-only. Raises InstanceNotFound."""
        instance = self._instances.get((task, number))
        if instance is None:
            row = self.rows.get(instance_suffix(task, number))
            if row is None:
                raise InstanceNotFound(f"session {self.uid!r} has no instance {instance_name(task, number)!r}")
            instance = self._instances[task, number] = decode_instance(row)
        return instance

    def change_instance(self, task: str, number: int) -> Instance:
        """Returns the instance for changes in place; it will be written. Raises InstanceNotFound."""
        instance = self.instance(task, number)
        self._changed[task, number] = instance
        return instance

    def find_instance(self, name: str) -> tuple[str, int, Instance]:
        """Returns the task, the number and the instance of a name, read-only. Raises InstanceNotFound."""
        task, number = parse_instance_name(name)
        return task, number, self.instance(task, number)

    def add_instance(self, task: str, state: TaskState, instance: Instance) -> int:
        """Adds an instance to the task, whose state the caller passes, and returns its number."""
        header = self.header
        number = state.count
        state.count = number + 1
        state.unresolved += 1
        header.instances += 1
        header.unresolved += 1
        self._instances[task, number] = self._changed[task, number] = instance
        return number

    def count_resolved(self, task: str, change: int) -> None:
        """Adds `change` to the count of the task's resolved instances: 1 or -1."""
        self.task_state(task).unresolved -= change
        self.header.unresolved -= change

    def instances(self) -> Iterator[tuple[str, int, Instance]]:
        """Yields every instance as it is stored. Only for queries: changes must have been written."""
        for suffix, row in self.rows.scan(b"i"):
            yield *parse_instance_suffix(suffix), decode_instance(row)

    # -- payloads -----------------------------------------------------------------------------------------------------

    def add_payload(self, payload: bytes) -> Payload:
        """Stores a payload and returns what an instance or a header holds of it."""
        if len(payload) <= SMALL:
            return payload
        header = self.header
        header.payloads = number = header.payloads + 1
        self._payloads[number] = payload
        return number

    def add_kwargs(self, trigger: str, kwargs: bytes) -> Payload:
        """Stores the kwargs of a trigger. It overwrites the row of the latest ones if no instance refers to it."""
        before = self.latest.hot.get(trigger) or self.latest.get(trigger)
        if not isinstance(before, UnsharedRow) or len(kwargs) <= SMALL:
            return self.add_payload(kwargs)
        self._payloads[before.number] = kwargs
        return before.number

    def read_payload(self, stored: Payload) -> bytes:
        """Returns the JSON of a payload."""
        if isinstance(stored, bytes):
            return stored
        payload = self._payloads.get(stored) or self.rows.get(numbered(b"p", stored))
        if payload is None:
            raise RuntimeError(f"session {self.uid!r} has no payload {stored}")
        return payload

    def set_latest(self, trigger: str, latest: Payload | HeldByInstance, *, held: bool) -> None:
        """Stores where the trigger's latest kwargs are and deletes an `UnsharedRow` of the earlier ones.

        With `held`, an instance refers to them as well. Otherwise their row becomes an `UnsharedRow`.
        """
        before = self.latest.hot.get(trigger) or self.latest.get(trigger)
        if isinstance(before, UnsharedRow) and before.number != latest:
            self._payloads.pop(before.number, None)
            self.rows.put(numbered(b"p", before.number), None)
        self.latest.hot[trigger] = UnsharedRow(latest) if isinstance(latest, int) and not held else latest

    def take_latest(self, trigger: str) -> Payload | None:
        """Returns the trigger's latest kwargs for another instance to hold, or None if it has never fired."""
        latest = self.latest.hot.get(trigger) or self.latest.get(trigger)
        if isinstance(latest, UnsharedRow):
            latest = self.latest.hot[trigger] = latest.number
        elif isinstance(latest, HeldByInstance):
            latest = self.latest.hot[trigger] = self.add_payload(self.read_latest(trigger, latest))
        return latest

    def latest_kwargs(self) -> dict[str, bytes]:
        """Returns the latest kwargs by trigger. Only for queries: changes must have been written."""
        return {trigger: self.read_latest(trigger, latest) for trigger, latest in self.latest.all().items()}

    def read_latest(self, trigger: str, latest: Latest) -> bytes:
        """Returns the JSON of latest kwargs of a trigger."""
        if isinstance(latest, HeldByInstance):
            return self.read_payload(self.instance(latest.task, latest.number).kwargs[trigger])
        return self.read_payload(latest.number if isinstance(latest, UnsharedRow) else latest)

    # -- configuration ------------------------------------------------------------------------------------------------

    def merge_configuration(self, configuration: bytes) -> Plan:
        """Returns the plan of the session's configuration with this update. Raises InvalidConfiguration."""
        return self._plans.merge(self.plan, configuration)

    def configure(self, plan: Plan) -> None:
        """Replaces the session's configuration."""
        self.plan = plan
        self.header.configuration = plan.digest
        if self._partition_rows.get(configuration_key(plan.digest)) is None:
            self.write_shared(configuration_key(plan.digest), plan.text)

    @property
    def catalog(self) -> Catalog:
        """The published rules that the session's partition knows. They are read once, until `forget_catalog`."""
        if self._catalog is None:
            self._catalog = self._plans.load_catalog(self._partition_rows)
        return self._catalog

    def forget_catalog(self) -> None:
        """Reads the published rules again when they are needed, because others have been published."""
        self._catalog = None

    def plan_under(self, rules: PublishedRules, gone: Collection[str]) -> Plan:
        """Returns the plan of the session's configuration under published rules. Raises InvalidConfiguration."""
        return self._plans.adopt(self.plan, rules, gone, self._partition_rows)

    def published_plan(self, rules: PublishedRules) -> Plan:
        """Returns the plan of published rules themselves."""
        return self._plans.load(rules.digest, self._partition_rows)

    def publish(self, event: RulesPublished) -> bool:
        """Adds published rules to the partition's rows. Returns False if they repeat what is known.

        Raises CallError and InvalidConfiguration.
        """
        changes = self._plans.publish(event, self._partition_rows)
        self._shared.update(changes)
        self.forget_catalog()
        return bool(changes)

    def task_as_scheduled(self, task: str, instance: Instance) -> Rule | None:
        """Returns the rule under which the instance was scheduled, or None if it never was."""
        if not instance.configuration:
            return None
        return self._plans.load(instance.configuration, self._partition_rows).tasks.get(task)

    # -- events -------------------------------------------------------------------------------------------------------

    def index_event(self, position: int, time: int, *, changed: bool) -> None:
        """Adds an event to the session's index and starts the session. `changed` sets the time of modification."""
        header = self.header
        if not self.exists:
            self.exists = True
            header.created = header.created or time
        if changed and time > header.modified:
            header.modified = time
        header.events += 1
        self.index_position(position)
        if len(self.tasks.hot) > HOT_TASKS or len(self.latest.hot) > HOT_TRIGGERS:
            self._spill()
        self._header_changed = True

    def index_position(self, position: int) -> None:
        """Adds a position to the session's index: that of an event, or of the published rules that it took."""
        header = self.header
        tail = header.tail
        tail.append(position)
        if len(tail) == _INDEX_CHUNK:
            self.rows.put(numbered(b"x", header.chunks), _encode(tail))
            header.chunks += 1
            header.tail = []

    def _spill(self) -> None:
        self.tasks.spill()
        self.latest.spill()
        self.facts.spill()
        self.header.tasks_spilled, self.header.latest_spilled = self.tasks.spilled, self.latest.spilled
        self.header.facts_spilled = self.facts.spilled

    def event_positions(self) -> Iterator[int]:
        """Yields the positions of all the session's events, and of the published rules that it took.

        Only for queries: changes must have been written.
        """
        for number in range(self.header.chunks):
            if row := self.rows.get(numbered(b"x", number)):
                yield from _decode_positions(row)
        yield from self.header.tail
