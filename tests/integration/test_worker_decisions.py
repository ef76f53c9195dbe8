"""The decision feed on a real broker is committed with the batch, once and in order, whichever process dies."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.codec import DecisionRecord, decode_command, decode_decision
from triggers.kafka.topics import create_topics as create_planned_topics
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker


@pytest.fixture
def with_feed(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, decisions=True)


def decisions(settings: Settings) -> dict[str, list[DecisionRecord]]:
    """Reads the decisions of each session, in order."""
    by_session: defaultdict[str, list[DecisionRecord]] = defaultdict(list)
    for message in read_topic(settings, Topology(settings.namespace).decisions):
        record = decode_decision(message.value())
        assert message.key() == record.session.encode()
        by_session[record.session].append(record)
    return by_session


def test_a_worker_killed_under_load_reports_every_decision_once_and_in_order(with_feed: Settings) -> None:
    create_planned_topics(with_feed)
    names = Topology(with_feed.namespace)
    application = Application(with_feed)
    for uid, event in interleaved(sessions=200, pages=5):
        application.fire(uid, event)
    application.flush()

    with WorkerProcess(msgspec.structs.replace(with_feed, max_batch_records=50), "w0") as worker:
        wait_until(lambda: len(read_topic(with_feed, names.decisions)) > 200, "some decisions are there")
        worker.kill()
        worker.start()
        wait_until_processed(with_feed)

    by_session = decisions(with_feed)
    assert sum(map(len, by_session.values())) == len(read_topic(with_feed, names.events))
    assert all([d.offset for d in own] == sorted({d.offset for d in own}) for own in by_session.values())
    ready = [
        f"{d.session}/{name}" for own in by_session.values() for d in own for fire in d.fires for name in fire.scheduled
    ]
    commanded = [decode_command(m.value()).id.rpartition("/")[0] for m in read_topic(with_feed, names.commands)]
    assert sorted(ready) == sorted(commanded)
    assert_equals_fold(with_feed)


def test_a_worker_with_the_decision_feed_waits_for_its_topic(settings: Settings, with_feed: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(with_feed, "w0") as worker:
        wait_until(lambda: f"no topic {settings.namespace}.decisions" in worker.log_text(), "it says what is missing")
        create_planned_topics(with_feed)
        worker.wait_ready()
