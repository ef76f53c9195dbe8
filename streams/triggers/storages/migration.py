"""Moves sessions from an embedded storage into the stream.

Each session is published as one import event and compared with the original afterwards. The old storage is not changed.
Moving a session again has no further effect, so an interrupted migration is simply repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct, structs

from triggers.client import KafkaPublisher, SessionReader
from triggers.client.published_rules import StreamRules
from triggers.client.session_events import SessionEvents
from triggers.codec import check_event
from triggers.core.engine import apply
from triggers.core.events import RulesPublished, SessionImported
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.statuses import IN_FLIGHT
from triggers.core.view import SessionView, importable_state, view_session
from triggers.errors import CallError, NotFound, SessionNotFound
from triggers.redaction import without_secrets
from triggers.settings import Settings
from triggers.storages.contract import Storage


class MoveResult(StrEnum):
    """The result of moving a session, or of a dry run."""

    MOVABLE = "would be moved"
    MOVED = "moved"
    THERE = "there already"
    CHANGED_SINCE = "moved before, and changed since"
    DIFFERS = "differs"
    """The stream has a different session with that UID, or a different state of it."""
    IN_FLIGHT = "in flight"
    """Tasks are scheduled or running, and would report their results to the old storage."""
    REFUSED = "refused"
    MISSING = "missing"


DONE: Final = frozenset({MoveResult.MOVABLE, MoveResult.MOVED, MoveResult.THERE, MoveResult.CHANGED_SINCE})
"""Results with which a session needs no attention: it is moved, or (in a dry run) it can be moved."""


class Moved(Struct, frozen=True, kw_only=True):
    """The report on one session."""

    session: str
    result: MoveResult
    instances: int = 0
    unresolved: int = 0
    detail: str = ""


class Migration:
    """Moves sessions into the stream, one at a time. `triggers migrate` uses it."""

    def __init__(
        self, settings: Settings, open_session: Callable[[str], Storage], *, reissue: bool = False, actor: str = ""
    ) -> None:
        """`open_session` returns the old storage of a UID.

        With `reissue`, tasks in flight are issued again in the stream, so they may run twice; otherwise, sessions that
        have any are not moved. `actor` is recorded as the operator who moved the sessions.
        """
        self._settings = settings
        self._open = open_session
        self._reissue = reissue
        self._publisher = KafkaPublisher(settings, source="migrate", actor=actor)
        self._reader = SessionReader(settings)
        self._events = SessionEvents(settings, self._reader)
        self._published_rules = StreamRules(settings).publications

    def move(self, uid: str, *, dry_run: bool) -> Moved:
        """Moves a session and returns the result; with `dry_run`, returns the result without moving it.

        Blocks until a worker has applied the import. Raises TryAgain if Kafka or the worker does not answer; repeat
        the call then.
        """
        try:
            original = self._open(uid).read()
        except SessionNotFound:
            return Moved(session=uid, result=MoveResult.MISSING, detail="the old storage has no such session")
        except (CallError, NotFound, ValueError, LookupError, TypeError) as error:
            return Moved(
                session=uid, result=MoveResult.REFUSED, detail=f"it cannot be read: {without_secrets(str(error))}"
            )
        result, detail = self._move(original, dry_run)
        unresolved = len(original.unresolved_instances)
        return Moved(
            session=uid, result=result, instances=len(original.instances), unresolved=unresolved, detail=detail
        )

    def _move(self, original: SessionView, dry_run: bool) -> tuple[MoveResult, str]:
        in_flight = [instance.name for instance in original.instances if instance.status in IN_FLIGHT]
        if in_flight and not self._reissue:
            return (
                MoveResult.IN_FLIGHT,
                f"{', '.join(in_flight[:3])}: wait for the results, or --reissue them",
            )
        event = self._event(original)
        try:
            check_event(event, self._settings.max_payload_bytes)
            expected = _apply_import(original.uid, event, self._published_rules())
        except (CallError, NotFound) as error:
            return MoveResult.REFUSED, str(error)
        if existing := self._find_existing(original.uid):
            return self._compare(existing, event)
        if dry_run:
            return MoveResult.MOVABLE, ""
        written = self._publisher.publish(original.uid, event)
        moved = self._reader.read(original.uid, written)
        return (MoveResult.MOVED, "") if _same(moved, expected) else (MoveResult.DIFFERS, _difference(moved, expected))

    def _compare(self, existing: SessionView, event: SessionImported) -> tuple[MoveResult, str]:
        events = self._events.read_session(existing.uid)
        first = next(event for event in events if not isinstance(event, RulesPublished))
        if not isinstance(first, SessionImported):
            return MoveResult.DIFFERS, "the stream has a session with this UID that was not imported"
        if first.state != event.state:
            return MoveResult.DIFFERS, "it was moved before and has changed in the old storage since"
        followed = existing.events - 1
        return (MoveResult.CHANGED_SINCE, f"{followed} events have followed") if followed else (MoveResult.THERE, "")

    def _event(self, original: SessionView) -> SessionImported:
        now = time.time_ns() // 1_000_000
        return SessionImported(
            id=f"import/{original.uid}", time=now, state=importable_state(original), reissue=self._reissue
        )

    def _find_existing(self, uid: str) -> SessionView | None:
        try:
            return self._reader.read(uid)
        except SessionNotFound:
            return None


def _apply_import(uid: str, event: SessionImported, published: Iterable[RulesPublished]) -> SessionView:
    """Applies the import to an empty session in memory, which takes the published rules that a worker will choose.

    Raises CallError or NotFound for an import that a worker would refuse.
    """
    rows, plans = MemoryRows(), Plans()
    for rules in published:
        rows.write(plans.publish(rules, rows))
    session = Session(uid, rows, plans)
    apply(session, event)
    rows.write(session.changes())
    return view_session(session)


def _same(moved: SessionView, expected: SessionView) -> bool:
    return _essence(moved) == _essence(expected)


def _essence(session: SessionView) -> SessionView:
    """Returns the view without the fields that depend on the time of the move."""
    instances = [structs.replace(i, modified=0, timestamps={}, deadline=None) for i in session.instances]
    return structs.replace(session, events=0, modified=0, clock=0, instances=instances)


def _difference(moved: SessionView, expected: SessionView) -> str:
    one, other = _essence(moved), _essence(expected)
    fields = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    return f"moved, but its {', '.join(fields)} differ in the stream"
