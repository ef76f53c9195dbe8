"""The payloads of a session, and the latest kwargs of its triggers."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from triggers.core.state.header import Header
from triggers.core.state.instance import SMALL, Payload
from triggers.core.state.instances import Instances
from triggers.core.state.latest import (
    HELD,
    IN_RECORD,
    KIND_AT,
    SHARED,
    UNSHARED,
    Stamp,
    holder_of,
    kwargs_of,
    record_of_kwargs,
    record_of_row,
    row_of,
    stamp_of,
)
from triggers.core.state.rows import numbered
from triggers.core.state.session_rows import SessionRows, SpillingMap


@mypyc_attr(acyclic=True)
class Payloads:
    """Stores payloads of instances, and remembers with which kwargs each trigger was last fired.

    Kwargs that an instance holds as well are stored once. So each record of `Session.latest` says who else refers to
    the stored kwargs (`core.state.latest`).
    """

    __slots__ = ("_header", "_instances", "_latest", "_rows", "_written")

    def __init__(self, header: Header, rows: SessionRows, latest: SpillingMap[bytes], instances: Instances) -> None:
        self._header = header
        self._rows = rows
        self._latest = latest
        self._instances = instances
        self._written: dict[int, bytes] = {}
        """Payloads that `write_rows` will write, by number."""

    def add(self, payload: bytes) -> Payload:
        """Stores a payload and returns what an instance or a header holds of it."""
        if len(payload) <= SMALL:
            return payload
        header = self._header
        header.payloads = number = header.payloads + 1
        self._written[number] = payload
        return number

    def add_kwargs(self, trigger: str, kwargs: bytes) -> Payload:
        """Stores the kwargs of a trigger. It overwrites the row of the latest ones if no instance refers to it."""
        before = self._latest.get(trigger)
        if before is not None and before[KIND_AT] == UNSHARED and len(kwargs) > SMALL:
            number = row_of(before)
            self._written[number] = kwargs
            return number
        return self.add(kwargs)

    def read(self, stored: Payload) -> bytes:
        """Returns the JSON of a payload."""
        if isinstance(stored, bytes):
            return stored
        payload = self._written.get(stored) or self._rows.get(numbered(b"p", stored))
        if payload is None:
            raise RuntimeError(f"session {self._rows.uid!r} has no payload {stored}")
        return payload

    def set_latest(self, trigger: str, stamp: Stamp, latest: Payload, *, held: bool) -> None:
        """Stores where the trigger's latest kwargs are, and the stamp of their fire.

        With `held`, an instance refers to them as well. Otherwise the trigger's next kwargs may overwrite their row.
        """
        if isinstance(latest, bytes):
            self.replace_latest(trigger, record_of_kwargs(stamp, latest))
        else:
            self.replace_latest(trigger, record_of_row(stamp, latest, shared=held), latest)

    def replace_latest(self, trigger: str, record: bytes, number: int = 0) -> None:
        """Replaces a record, and deletes the row that no one refers to then; `number` is the row of the new one."""
        before = self._latest.get(trigger)
        if before is not None and before[KIND_AT] == UNSHARED and (unused := row_of(before)) != number:
            self._written.pop(unused, None)
            self._rows.put(numbered(b"p", unused), None)
        self._latest.hot[trigger] = record

    def share_latest(self, trigger: str) -> Payload | None:
        """Returns the trigger's latest kwargs for another instance to hold, or None if it has never fired."""
        record = self._latest.get(trigger)
        if record is None:
            return None
        kind = record[KIND_AT]
        if kind == IN_RECORD:
            return kwargs_of(record)
        if kind == SHARED:
            return row_of(record)
        if kind == UNSHARED:
            payload: Payload = row_of(record)
        else:
            payload = self.add(self._read_latest(trigger, record))
        stamp = stamp_of(record)
        self._latest.hot[trigger] = (
            record_of_kwargs(stamp, payload)
            if isinstance(payload, bytes)
            else record_of_row(stamp, payload, shared=True)
        )
        return payload

    def release_latest(self, task: str, number: int, kwargs: dict[str, Payload]) -> None:
        """Stores the latest kwargs that only this instance has in rows of their own, before its kwargs change."""
        for trigger, payload in kwargs.items():
            record = self._latest.get(trigger)
            if record is not None and record[KIND_AT] == HELD and holder_of(record) == (task, number):
                self.set_latest(trigger, stamp_of(record), self.add(self.read(payload)), held=False)

    def read_latest(self, trigger: str) -> bytes | None:
        """Returns the JSON of the trigger's latest kwargs, or None if it has never fired."""
        record = self._latest.get(trigger)
        return None if record is None else self._read_latest(trigger, record)

    def latest_kwargs(self) -> dict[str, bytes]:
        """Returns the latest kwargs by trigger. Only for queries: changes must have been written."""
        return {trigger: self._read_latest(trigger, record) for trigger, record in self._latest.all().items()}

    def _read_latest(self, trigger: str, record: bytes) -> bytes:
        kind = record[KIND_AT]
        if kind == IN_RECORD:
            return kwargs_of(record)
        if kind == HELD:
            task, number = holder_of(record)
            return self.read(self._instances.get(task, number).instance.kwargs[trigger])
        return self.read(row_of(record))

    def write_rows(self) -> None:
        """Writes new payloads into the session's rows."""
        for number, payload in self._written.items():
            self._rows.put(numbered(b"p", number), payload)
        self._written.clear()
