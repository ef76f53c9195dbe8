"""A cache of sessions' logs, because the slider requests the past of one session many times."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from triggers.analysis.time_travel import Moment, until
from triggers.console.sources import Source
from triggers.core.events import Event

_MAX_AGE_S = 60.0
_MAX_EVENTS = 200_000


class _Log(NamedTuple):
    events: list[Event]
    read_at: float

    def reaches(self, moment: Moment) -> bool:
        """Return whether events that were published after this log was read are all after the moment."""
        last = self.events[-1]
        if moment.offset is not None:
            return moment.offset <= last.position
        return moment.time is not None and moment.time < last.time


class RecentLogs:
    """Caches logs of sessions for a minute. Thread-safe.

    The past of a session does not change, so it is served from memory. Its present is read from the source each time.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._logs: OrderedDict[str, _Log] = OrderedDict()

    def events(self, uid: str, moment: Moment) -> list[Event]:
        """Return the session's events up to the moment. Raises what the source raises."""
        return list(until(self.whole(uid, moment), moment))

    def whole(self, uid: str, moment: Moment) -> list[Event]:
        """Return the session's events up to the moment, and the later ones that have been read."""
        with self._lock:
            cached = self._logs.get(uid)
        if cached is not None and cached.reaches(moment) and time.monotonic() - cached.read_at < _MAX_AGE_S:
            return cached.events
        events = self._source.read_session(uid)
        self._remember(uid, _Log(events, time.monotonic()))
        return events

    def _remember(self, uid: str, log: _Log) -> None:
        with self._lock:
            self._logs[uid] = log
            self._logs.move_to_end(uid)
            while len(self._logs) > 1 and sum(len(one.events) for one in self._logs.values()) > _MAX_EVENTS:
                self._logs.popitem(last=False)
