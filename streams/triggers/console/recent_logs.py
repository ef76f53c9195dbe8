"""Logs of sessions that were asked for a moment ago: a slider asks for one session's past many times."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from triggers.analysis.time_travel import Moment, until
from triggers.console.source import Source
from triggers.core.events import Event

_KEPT_S = 60.0
_MOST_EVENTS = 200_000


class _Log(NamedTuple):
    events: list[Event]
    read_at: float

    def reaches(self, moment: Moment) -> bool:
        """Whether nothing that may have come since is before the moment."""
        last = self.events[-1]
        if moment.offset is not None:
            return moment.offset <= last.position
        return moment.time is not None and moment.time < last.time


class RecentLogs:
    """What a session was does not change, so its past is answered from memory; its present is read each time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._logs: OrderedDict[str, _Log] = OrderedDict()

    def events(self, uid: str, moment: Moment) -> list[Event]:
        """The session's events up to the moment. Raises what the source raises."""
        return list(until(self.whole(uid, moment), moment))

    def whole(self, uid: str, moment: Moment) -> list[Event]:
        """The session's events up to the moment at least, and those after it that are known."""
        with self._lock:
            known = self._logs.get(uid)
        if known is not None and known.reaches(moment) and time.monotonic() - known.read_at < _KEPT_S:
            return known.events
        events = self._source.events(uid)
        self._keep(uid, _Log(events, time.monotonic()))
        return events

    def _keep(self, uid: str, log: _Log) -> None:
        with self._lock:
            self._logs[uid] = log
            self._logs.move_to_end(uid)
            while len(self._logs) > 1 and sum(len(kept.events) for kept in self._logs.values()) > _MOST_EVENTS:
                self._logs.popitem(last=False)
