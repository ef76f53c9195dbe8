"""The instances of a session: read on demand, changed in place, and written once per batch."""

from __future__ import annotations

from collections.abc import Iterator

from mypy_extensions import mypyc_attr

from triggers.core.instance_names import instance_name, parse_instance_name
from triggers.core.state.header import Header
from triggers.core.state.header_parts import TaskState
from triggers.core.state.instance import Instance
from triggers.core.state.instance_codec import decode_instance, encode_instance
from triggers.core.state.loaded_instance import LoadedInstance, StatusMove
from triggers.core.state.rows import instance_suffix, parse_instance_suffix
from triggers.core.state.session_rows import SessionRows
from triggers.core.statuses import FAILED
from triggers.errors import InstanceNotFound


@mypyc_attr(acyclic=True)
class Instances:
    """The instances of one session by name."""

    __slots__ = ("_changed", "_header", "_loaded", "_moves", "_rows")

    def __init__(self, header: Header, rows: SessionRows, moves: list[StatusMove]) -> None:
        """`write_rows` adds to `moves`."""
        self._header = header
        self._rows = rows
        self._loaded: dict[str, LoadedInstance] = {}
        """Instances that were used since the last `write_rows`, by name."""
        self._changed: list[LoadedInstance] = []
        self._moves = moves

    def find(self, name: str) -> LoadedInstance:
        """Returns the instance with this name. Raises InstanceNotFound."""
        loaded = self._loaded.get(name)
        if loaded is None:
            task, number = parse_instance_name(name)
            loaded = self._read(task, number, name)
        return loaded

    def get(self, task: str, number: int) -> LoadedInstance:
        """Returns the instance of the task with this number. Raises InstanceNotFound."""
        name = instance_name(task, number)
        loaded = self._loaded.get(name)
        return self._read(task, number, name) if loaded is None else loaded

    def get_to_change(self, task: str, number: int) -> LoadedInstance:
        """Returns the instance of the task with this number, marked as changed. Raises InstanceNotFound."""
        loaded = self.get(task, number)
        self.mark_changed(loaded)
        return loaded

    def _read(self, task: str, number: int, name: str) -> LoadedInstance:
        row = self._rows.get(instance_suffix(task, number))
        if row is None:
            raise InstanceNotFound(f"session {self._rows.uid!r} has no instance {name!r}")
        instance = decode_instance(row)
        loaded = self._loaded[name] = LoadedInstance(task, number, name, instance, instance.status)
        return loaded

    def mark_changed(self, loaded: LoadedInstance) -> None:
        """Lets the row be written. The caller may change it in place until then."""
        if not loaded.changed:
            loaded.changed = True
            self._changed.append(loaded)

    def add(self, task: str, state: TaskState, instance: Instance) -> LoadedInstance:
        """Adds an unresolved instance to the task, whose state the caller passes."""
        header = self._header
        number = state.count
        state.count = number + 1
        state.unresolved += 1
        header.instances += 1
        header.unresolved += 1
        name = instance_name(task, number)
        loaded = self._loaded[name] = LoadedInstance(task, number, name, instance)
        self.mark_changed(loaded)
        return loaded

    def count_resolved(self, state: TaskState, change: int) -> None:
        """Adds `change` to the count of the task's resolved instances: 1 or -1."""
        state.unresolved -= change
        self._header.unresolved -= change

    def write_rows(self) -> None:
        """Writes the changed instances into the session's rows and forgets all that were loaded.

        A failed instance counts as moved although it was failed before, because its exception may be another one.
        """
        for loaded in self._changed:
            instance = loaded.instance
            self._rows.put(instance_suffix(loaded.task, loaded.number), encode_instance(instance))
            before, after = loaded.stored_status, instance.status
            if before != after or after == FAILED:
                self._moves.append(StatusMove(loaded.task, loaded.number, before, after, instance))
        self._changed.clear()
        self._loaded.clear()

    def scan(self) -> Iterator[LoadedInstance]:
        """Yields every instance as it is stored. Only for queries: changes must have been written."""
        for suffix, row in self._rows.scan(b"i"):
            yield load_instance(suffix, row)


def load_instance(suffix: bytes, row: bytes) -> LoadedInstance:
    """Returns the instance of a stored row."""
    task, number = parse_instance_suffix(suffix)
    instance = decode_instance(row)
    return LoadedInstance(task, number, instance_name(task, number), instance, instance.status)
