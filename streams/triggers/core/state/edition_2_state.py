"""The part of a session's state that rules of edition 2 add to its header and instances."""

from __future__ import annotations

from triggers.core.state.row_kinds import MEMORY, WAITING
from triggers.core.state.session_rows import RowMap, SessionRows


class Edition2State:
    """The state of edition 2. A session makes it on first use, because making one takes a tenth of a load."""

    __slots__ = ("memories", "waiting")

    def __init__(self, rows: SessionRows) -> None:
        self.waiting = RowMap(rows, WAITING)
        """Waiting instances, by task."""
        self.memories = RowMap(rows, MEMORY)
        """Contributions that later instances start with, by task."""

    def write_rows(self) -> None:
        """Writes changed entries into the session's rows."""
        self.waiting.write()
        self.memories.write()
