"""A session over rows in memory, loaded from its encoded rows again for every event, as after a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec.structs import replace

from triggers.core.commands import Decision, RunTask
from triggers.core.config import Plans
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TriggerFired
from triggers.core.header import Header, decode_header
from triggers.core.rows import MemoryRows, header_key
from triggers.core.session import Session
from triggers.core.view import SessionView, view

Json = Mapping[str, object]


class MemorySession:
    """Applies events with growing positions and times, one second apart."""

    def __init__(self, configuration: Json | None = None, uid: str = "q-1") -> None:
        self.uid = uid
        self.rows = MemoryRows()
        self.log: list[Event] = []
        """What was applied, with position and time."""
        if configuration is not None:
            self.configure(configuration)

    def apply(self, event: Event) -> Decision:
        """Apply the event at the next position."""
        return self._place(replace(event, time=(len(self.log) + 1) * 1000))

    def apply_at(self, event: Event, now: int) -> Decision:
        """Apply the event, which has its own time or none, as if its record were of the time `now`."""
        placed = replace(event, recorded=now) if event.time else replace(event, time=now)
        return self._place(placed)

    def _place(self, event: Event) -> Decision:
        session = self.load()
        placed = replace(event, position=len(self.log) + 1)
        decision = apply(session, placed)
        self.rows.write(session.changes())
        self.log.append(placed)
        return decision

    def fire(self, trigger: str, **kwargs: object) -> Decision:
        """Fire a trigger."""
        return self.apply(TriggerFired(trigger=trigger, kwargs=json.dumps(kwargs).encode()))

    def configure(self, configuration: Json) -> Decision:
        """Update the configuration."""
        return self.apply(ConfigurationUpdated(configuration=json.dumps(configuration).encode()))

    def load(self) -> Session:
        """The session, decoded from its rows; nothing is shared with an earlier one."""
        return Session(self.uid, self.rows, Plans())

    def view(self) -> SessionView:
        """The session as people see it."""
        return view(self.load())

    def header(self) -> Header:
        """The decoded header row."""
        return decode_header(self.rows[header_key(self.uid)])

    def statuses(self) -> dict[str, str]:
        """Instance -> status."""
        return {instance.name: instance.status for instance in self.view().instances}

    def latest(self) -> object:
        """Trigger -> latest kwargs, decoded."""
        return {trigger: json.loads(bytes(kwargs)) for trigger, kwargs in self.view().latest_kwargs.items()}


def scheduled(decision: Decision) -> list[tuple[str, object]]:
    """(instance, kwargs) of the decision's tasks, in order."""
    return [(c.instance, json.loads(c.kwargs)) for c in decision.commands if isinstance(c, RunTask)]
