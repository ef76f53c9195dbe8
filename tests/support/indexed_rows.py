"""Sessions in memory with the index of their partition, kept as the agent keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec.structs import replace

from triggers.agent.turns.partition_index import IndexUpdate
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TaskFailed, TaskFinished, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.queries.index_rows import COUNTS, FAILURES, REACH, Reach, encode_row

SECOND = 1000
INDEX = (FAILURES, COUNTS)


class IndexedRows:
    """Applies events to sessions of one partition. Each event is a second later than the one before it."""

    def __init__(self) -> None:
        self.rows = MemoryRows({REACH: encode_row(Reach(until=None))})
        self.plans = Plans()
        self.now = 0
        self._position = 0

    def configure(self, uid: str, configuration: Mapping[str, object]) -> None:
        self.apply(uid, ConfigurationUpdated(configuration=json.dumps(configuration).encode()))

    def fire(self, uid: str, *triggers: str) -> None:
        for trigger in triggers:
            self.apply(uid, TriggerFired(trigger=trigger))

    def finish(self, uid: str, instance: str) -> None:
        self.apply(uid, TaskFinished(instance=instance))

    def fail(self, uid: str, instance: str, kind: str = "app.Broken", message: str = "no coffee") -> None:
        self.apply(uid, TaskFailed(instance=instance, exception_type=kind, exception_message=message))

    def apply(self, uid: str, *events: Event) -> None:
        """Applies events in one batch and writes the rows."""
        session, index = Session(uid, self.rows, self.plans), IndexUpdate()
        for event in events:
            self._position += 1
            self.now += SECOND
            apply(session, replace(event, position=self._position, time=self.now))
        changes = session.changes()
        index.add(uid, session.moved)
        self.rows.write(changes | index.changes(self.rows, {}))

    def index(self) -> dict[bytes, bytes]:
        """Returns the rows of the index, without the marker."""
        return {key: row for key, row in self.rows.items() if key.startswith(INDEX)}

    def without_index(self) -> MemoryRows:
        """Returns the rows as an earlier release would have left them."""
        return MemoryRows({key: row for key, row in self.rows.items() if not key.startswith((*INDEX, REACH))})
