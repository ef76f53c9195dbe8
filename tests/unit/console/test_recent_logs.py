"""The past of a session is cached, its present is read each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from triggers.analysis.time_travel import NOW, Moment
from triggers.console import recent_logs
from triggers.console.recent_logs import RecentLogs
from triggers.core.events import Event, TriggerFired
from triggers.core.view import SessionSummary


class _Growing:
    """A source whose sessions have one more event each time they are read."""

    def __init__(self) -> None:
        self.reads: list[str] = []

    def read_session(self, uid: str) -> list[Event]:
        self.reads.append(uid)
        count = self.reads.count(uid)
        return [TriggerFired(trigger="e", position=10 * n, time=1_000 * n) for n in range(1, count + 1)]

    def list_sessions(self, prefix: str, limit: int) -> list[SessionSummary]:
        raise NotImplementedError(prefix, limit)

    def read_all(self) -> Iterator[tuple[str, Event]]:
        raise NotImplementedError


def test_the_past_is_read_once_and_the_present_every_time() -> None:
    source = _Growing()
    logs = RecentLogs(source)
    assert (len(logs.events("s", NOW)), len(logs.events("s", NOW))) == (1, 2)

    assert len(logs.events("s", Moment(offset=10))) == 1
    assert len(logs.events("s", Moment(offset=20))) == 2
    assert len(logs.events("s", Moment(time=1_500))) == 1
    assert len(source.reads) == 2


@pytest.mark.parametrize("moment", [Moment(offset=21), Moment(time=2_000), NOW])
def test_a_log_that_may_have_grown_is_read_again(moment: Moment) -> None:
    source = _Growing()
    logs = RecentLogs(source)
    logs.events("s", NOW)
    logs.events("s", NOW)

    logs.events("s", moment)

    assert len(source.reads) == 3


def test_the_log_that_was_used_longest_ago_is_dropped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_logs, "_MAX_EVENTS", 2)
    source = _Growing()
    logs = RecentLogs(source)
    for uid in ("a", "b", "c"):
        logs.events(uid, NOW)

    for uid in ("c", "b", "a"):
        logs.events(uid, Moment(offset=10))

    assert source.reads == ["a", "b", "c", "a"]
