"""The part of a batch that belongs to one session."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from triggers.core.commands import Outcome
from triggers.core.events import Event
from triggers.core.state.session import Session
from triggers.kafka.records import Record
from triggers.store.batch import Output
from triggers.telemetry.spans import Span


@mypyc_attr(acyclic=True)
class SessionTurn:
    """A session with its events and outputs of one batch."""

    __slots__ = ("applied", "key", "must_redo", "outcomes", "output_bytes", "outputs", "session", "spans", "uid")

    def __init__(self, uid: str, key: bytes, session: Session) -> None:
        self.uid = uid
        self.key = key
        self.session = session
        self.applied: list[tuple[Record, Event]] = []
        self.outputs: list[Output] = []
        self.spans: list[Span] = []
        self.output_bytes = 0
        self.outcomes: list[Outcome] = []
        self.must_redo = False
        """True if the session object is inconsistent, so that its events must be decided again one by one."""
