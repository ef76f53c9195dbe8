"""The console's sessions from a recorded log or a capsule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from triggers.analysis.time_travel import view_at
from triggers.core.events import Event
from triggers.core.view import SessionSummary
from triggers.errors import SessionNotFound


class FileSource:
    """A source that holds the whole log in memory, so that every session is available at once."""

    def __init__(self, events: Iterable[tuple[str, Event]]) -> None:
        """Read all events. Raises what the iterable raises."""
        logs: defaultdict[str, list[Event]] = defaultdict(list)
        for uid, event in events:
            logs[uid].append(event)
        self._logs = dict(sorted(logs.items()))

    def summaries(self, prefix: str, limit: int) -> list[SessionSummary]:
        uids = [uid for uid in self._logs if uid.startswith(prefix)]
        return [self._summary(uid) for uid in uids[:limit]]

    def events(self, uid: str) -> list[Event]:
        if uid not in self._logs:
            raise SessionNotFound(f"the log has no event of session {uid!r}")
        return self._logs[uid]

    def every(self) -> Iterator[tuple[str, Event]]:
        return ((uid, event) for uid, events in self._logs.items() for event in events)

    def _summary(self, uid: str) -> SessionSummary:
        view = view_at(uid, self._logs[uid])
        return SessionSummary(
            uid=uid,
            created=view.created,
            modified=view.modified,
            events=view.events,
            instances=len(view.instances),
            unresolved=len(view.unresolved_instances),
        )
