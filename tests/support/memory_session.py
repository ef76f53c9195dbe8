"""A session in memory that is loaded from its encoded rows for every event, as after a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec.structs import replace

from triggers.core.commands import RunTask
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TriggerFired
from triggers.core.state.header import Header
from triggers.core.state.header_codec import decode_header
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session

Json = Mapping[str, object]


class MemorySession:
    """Applies events at increasing positions, one second apart."""

    def __init__(self, configuration: Json | None = None, uid: str = "q-1") -> None:
        self.uid = uid
        self.rows = MemoryRows()
        self.log: list[Event] = []
        """The applied events, with position and time."""
        if configuration is not None:
            self.configure(configuration)

    def apply(self, event: Event) -> Decision:
        """Applies the event at the next position."""
        return self._place(replace(event, time=(len(self.log) + 1) * 1000))

    def apply_at(self, event: Event, now: int) -> Decision:
        """Applies the event as if its record had the timestamp `now`. The event keeps its own time, if it has one."""
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
        """Applies a `TriggerFired`."""
        return self.apply(TriggerFired(trigger=trigger, kwargs=json.dumps(kwargs).encode()))

    def configure(self, configuration: Json) -> Decision:
        """Applies a `ConfigurationUpdated`."""
        return self.apply(ConfigurationUpdated(configuration=json.dumps(configuration).encode()))

    def load(self) -> Session:
        """Decodes the session from its rows. It shares nothing with earlier ones."""
        return Session(self.uid, self.rows, Plans())

    def view(self) -> SessionView:
        """Returns the session's public view."""
        return view_session(self.load())

    def header(self) -> Header:
        """Decodes the header row."""
        return decode_header(self.rows[header_key(self.uid)])

    def statuses(self) -> dict[str, str]:
        """Returns the status of each instance."""
        return {instance.name: instance.status for instance in self.view().instances}

    def latest(self) -> object:
        """Returns the decoded latest kwargs of each trigger."""
        return {trigger: json.loads(bytes(kwargs)) for trigger, kwargs in self.view().latest_kwargs.items()}


def scheduled(decision: Decision) -> list[tuple[str, object]]:
    """Returns (instance, kwargs) of the decision's commands, in order."""
    return [(c.instance, json.loads(c.kwargs)) for c in decision.commands if isinstance(c, RunTask)]
