"""What an `EventPublisher` and a `SessionSource` do together, in memory and on Kafka."""

from __future__ import annotations

import json
import uuid
from typing import NamedTuple

import pytest

from triggers.core.events import ConfigurationUpdated, ReplayRequested, TriggerFired
from triggers.errors import SessionNotFound
from triggers.storages.stream import EventPublisher, SessionSource

RULES = ConfigurationUpdated(
    configuration=json.dumps({"t_import": {"after": ["page"], "andEvery": "page", "run": "app.import_page"}}).encode()
)


class Stream(NamedTuple):
    """A publisher, and a source that reads what it has published."""

    publisher: EventPublisher
    source: SessionSource


class StreamSuite:
    """Tests of the two ports. A subclass has a fixture `stream`."""

    @pytest.fixture
    def uid(self) -> str:
        """A session that no other test uses, because tests on Kafka share a worker."""
        return f"session-ü/{uuid.uuid4().hex}"

    def test_the_events_of_a_session_get_increasing_offsets_on_one_partition(self, stream: Stream, uid: str) -> None:
        written = [stream.publisher.publish(uid, TriggerFired(trigger="page")) for _ in range(3)]

        assert len({each.partition for each in written}) == 1
        assert written == sorted(set(written))

    def test_a_read_includes_the_event_at_the_coordinates(self, stream: Stream, uid: str) -> None:
        stream.publisher.publish(uid, RULES)
        for number in range(3):
            written = stream.publisher.publish(uid, TriggerFired(trigger="page"))

            view = stream.source.read(uid, written)

            assert [instance.name for instance in view.instances] == [f"t_import#{n}" for n in range(number + 1)]

    def test_a_later_read_needs_no_coordinates(self, stream: Stream, uid: str) -> None:
        written = stream.publisher.publish(uid, TriggerFired(trigger="page", kwargs=b'{"page": 3}'))
        before = stream.source.read(uid, written)

        assert stream.source.read(uid) == before
        assert before.uid == uid
        assert {name: bytes(kwargs) for name, kwargs in before.latest_kwargs.items()} == {"page": b'{"page": 3}'}

    def test_a_session_without_events_is_not_found(self, stream: Stream, uid: str) -> None:
        with pytest.raises(SessionNotFound, match=uid.rpartition("/")[2]):
            stream.source.read(uid)

    def test_sessions_do_not_see_each_other(self, stream: Stream, uid: str) -> None:
        stream.publisher.publish(uid, TriggerFired(trigger="page"))
        written = stream.publisher.publish(f"{uid}/other", TriggerFired(trigger="complete"))

        assert list(stream.source.read(f"{uid}/other", written).latest_kwargs) == ["complete"]

    def test_an_event_with_an_id_is_applied_once(self, stream: Stream, uid: str) -> None:
        stream.publisher.publish(uid, RULES)
        for _ in range(2):
            written = stream.publisher.publish(uid, TriggerFired(trigger="page", id="a1"))

        assert [instance.name for instance in stream.source.read(uid, written).instances] == ["t_import#0"]

    def test_a_refused_event_is_waited_for_and_changes_nothing(self, stream: Stream, uid: str) -> None:
        before = stream.source.read(uid, stream.publisher.publish(uid, RULES))

        refused = stream.publisher.publish(uid, ReplayRequested(instance="t_import#7"))

        assert stream.source.read(uid, refused) == before
