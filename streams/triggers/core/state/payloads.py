"""The payloads of a session, and the latest kwargs of its triggers."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from triggers.core.state.header import Header, HeldByInstance, Latest, UnsharedRow
from triggers.core.state.instance import SMALL, Payload
from triggers.core.state.instances import Instances
from triggers.core.state.rows import numbered
from triggers.core.state.session_rows import SessionRows, SpillingMap

_UNSHARED_ROW: Final = UnsharedRow  # a final name is not looked up, which would take 130 instructions


@mypyc_attr(acyclic=True)
class Payloads:
    """Stores payloads of instances, and remembers with which kwargs each trigger was last fired.

    Kwargs that an instance holds as well are stored once. So each entry of `Session.latest` says who else refers to
    the stored kwargs (`Latest`).
    """

    __slots__ = ("_header", "_instances", "_latest", "_rows", "_written")

    def __init__(self, header: Header, rows: SessionRows, latest: SpillingMap[Latest], instances: Instances) -> None:
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
        if type(before) is UnsharedRow and len(kwargs) > SMALL:  # `type`, as in `engine.apply`
            self._written[before.number] = kwargs
            return before.number
        return self.add(kwargs)

    def read(self, stored: Payload) -> bytes:
        """Returns the JSON of a payload."""
        if isinstance(stored, bytes):
            return stored
        payload = self._written.get(stored) or self._rows.get(numbered(b"p", stored))
        if payload is None:
            raise RuntimeError(f"session {self._rows.uid!r} has no payload {stored}")
        return payload

    def set_latest(self, trigger: str, latest: Payload | HeldByInstance, *, held: bool) -> None:
        """Stores where the trigger's latest kwargs are and deletes an `UnsharedRow` of the earlier ones.

        With `held`, an instance refers to them as well. Otherwise their row becomes an `UnsharedRow`.
        """
        before = self._latest.get(trigger)
        if type(before) is _UNSHARED_ROW and before.number != latest:
            self._written.pop(before.number, None)
            self._rows.put(numbered(b"p", before.number), None)
        self._latest.hot[trigger] = UnsharedRow(latest) if isinstance(latest, int) and not held else latest

    def share_latest(self, trigger: str) -> Payload | None:
        """Returns the trigger's latest kwargs for another instance to hold, or None if it has never fired."""
        latest = self._latest.get(trigger)
        if latest is None or isinstance(latest, (bytes, int)):
            return latest
        if type(latest) is UnsharedRow:
            payload: Payload = latest.number
        else:
            payload = self.add(self._read_latest(trigger, latest))
        self._latest.hot[trigger] = payload
        return payload

    def release_latest(self, task: str, number: int, kwargs: dict[str, Payload]) -> None:
        """Stores the latest kwargs that only this instance has in rows of their own, before its kwargs change."""
        for trigger, payload in kwargs.items():
            latest = self._latest.get(trigger)
            if type(latest) is HeldByInstance and latest.number == number and latest.task == task:
                self.set_latest(trigger, self.add(self.read(payload)), held=False)

    def read_latest(self, trigger: str) -> bytes | None:
        """Returns the JSON of the trigger's latest kwargs, or None if it has never fired."""
        latest = self._latest.get(trigger)
        return None if latest is None else self._read_latest(trigger, latest)

    def latest_kwargs(self) -> dict[str, bytes]:
        """Returns the latest kwargs by trigger. Only for queries: changes must have been written."""
        return {trigger: self._read_latest(trigger, latest) for trigger, latest in self._latest.all().items()}

    def _read_latest(self, trigger: str, latest: Latest) -> bytes:
        if isinstance(latest, HeldByInstance):
            return self.read(self._instances.get(latest.task, latest.number).instance.kwargs[trigger])
        return self.read(latest.number if isinstance(latest, UnsharedRow) else latest)

    def write_rows(self) -> None:
        """Writes new payloads into the session's rows."""
        for number, payload in self._written.items():
            self._rows.put(numbered(b"p", number), payload)
        self._written.clear()
