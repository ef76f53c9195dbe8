"""What the console's `Source` returns for `tests.support.console_log`, from a file and from Kafka."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest
from tests.support.console_log import HOSTILE, log_events

from triggers.analysis.time_travel import view_at
from triggers.console.sources import Source
from triggers.core.events import Event
from triggers.errors import SessionNotFound

UIDS = sorted(["s-done", "s-stuck", HOSTILE])


class SourceSuite:
    """Tests of the port. A subclass has a fixture `source`, which has the sessions of the log."""

    def test_sessions_are_listed_by_uid(self, source: Source) -> None:
        assert [summary.uid for summary in source.list_sessions("", 100)] == UIDS
        assert [summary.uid for summary in source.list_sessions("", 2)] == UIDS[:2]
        assert [summary.uid for summary in source.list_sessions("s-", 100)] == ["s-done", "s-stuck"]
        assert source.list_sessions("nobody", 100) == []

    def test_a_summary_counts_what_the_events_of_its_session_did(self, source: Source) -> None:
        for summary in source.list_sessions("", 100):
            view = view_at(summary.uid, source.read_session(summary.uid))
            counts = (view.created, view.modified, view.events, len(view.instances), len(view.unresolved_instances))
            listed = (summary.created, summary.modified, summary.events, summary.instances, summary.unresolved)
            assert listed == counts

    def test_a_session_is_read_in_the_order_of_its_events(self, source: Source) -> None:
        written = _by_session(log_events())

        for uid in UIDS:
            events = source.read_session(uid)
            assert [_content(event) for event in events] == [_content(event) for event in written[uid]]
            assert [event.position for event in events] == sorted({event.position for event in events})

    def test_a_session_without_events_is_not_found(self, source: Source) -> None:
        with pytest.raises(SessionNotFound, match="nobody"):
            source.read_session("nobody")

    def test_the_whole_log_has_the_events_of_every_session_in_their_order(self, source: Source) -> None:
        assert _by_session(source.read_all()) == {uid: source.read_session(uid) for uid in UIDS}


def _by_session(log: Iterable[tuple[str, Event]]) -> dict[str, list[Event]]:
    sessions: defaultdict[str, list[Event]] = defaultdict(list)
    for uid, event in log:
        sessions[uid].append(event)
    return dict(sessions)


def _content(event: Event) -> tuple[type[Event], str | None, str | None]:
    """Returns what does not depend on where the event is stored."""
    return type(event), event.id, getattr(event, "trigger", getattr(event, "instance", None))
