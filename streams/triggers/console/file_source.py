"""Sessions of a recorded log or a capsule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from triggers.analysis.time_travel import view_at
from triggers.core.events import Event
from triggers.core.view import SessionSummary
from triggers.errors import SessionNotFound


class FileSource:
    """See `Source`. Holds the whole log in memory, so that a session is there at once."""

    def __init__(self, events: Iterable[tuple[str, Event]]) -> None:
        """Raises what reading the log raises."""
        found: defaultdict[str, list[Event]] = defaultdict(list)
        for uid, event in events:
            found[uid].append(event)
        self._logs = dict(sorted(found.items()))

    def summaries(self, prefix: str, limit: int) -> list[SessionSummary]:
        """See `Source`."""
        uids = [uid for uid in self._logs if uid.startswith(prefix)]
        return [self._summary(uid) for uid in uids[:limit]]

    def events(self, uid: str) -> list[Event]:
        """See `Source`."""
        if uid not in self._logs:
            raise SessionNotFound(f"there is no event of session {uid!r} in the log")
        return self._logs[uid]

    def every(self) -> Iterator[tuple[str, Event]]:
        """See `Source`."""
        return ((uid, event) for uid, events in self._logs.items() for event in events)

    def _summary(self, uid: str) -> SessionSummary:
        found = view_at(uid, self._logs[uid])
        return SessionSummary(
            uid=uid,
            created=found.created,
            modified=found.modified,
            events=found.events,
            instances=len(found.instances),
            unresolved=len(found.unresolved_instances),
        )
