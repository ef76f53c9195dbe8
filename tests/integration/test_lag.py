"""The lag that we show is the number of commands without a result, and of events that no worker has applied."""

from __future__ import annotations

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.support.celery_process import celery_worker, dispatcher
from tests.support.commands import issue_commands, make_command, read_results, wait_for_results
from tests.support.offsets import commit_offsets
from tests.support.questionnaires import Application
from tests.support.redis_server import RedisServer
from tests.support.settled import group_lag, wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.celery.ledger import finished_beyond
from triggers.client.consumer_lag import PartitionLag, measure_lag
from triggers.codec import decode_command
from triggers.core.commands import RunTask
from triggers.kafka.connection import admin_client
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
LONG_S = 60.0


@pytest.fixture
def quick_settings(settings: Settings) -> Settings:
    """Settings with which a lost worker is noticed soon."""
    return msgspec.structs.replace(settings, celery_session_timeout_s=3.0)


def _long(number: int) -> RunTask:
    return make_command(f"{TASKS}.slow", "s1", number, kwargs={"page": {"seconds": LONG_S}})


def _quick(number: int) -> RunTask:
    return make_command(f"{TASKS}.echo", f"q{number}", number)


def _rows(settings: Settings, topic: str) -> dict[int, PartitionLag]:
    return {row.partition: row for row in measure_lag(settings, finished=finished_beyond) if row.topic == topic}


def _shown(settings: Settings) -> dict[int, int | None]:
    rows = _rows(settings, Topology(settings.namespace).commands)
    return {partition: row.records for partition, row in rows.items() if row.records}


def _without_result(settings: Settings) -> dict[int, int]:
    """Counts the commands without a result from the two topics, by partition."""
    have = read_results(settings)
    count: dict[int, int] = {}
    for message in read_topic(settings, Topology(settings.namespace).commands):
        if decode_command(message.value()).id not in have:
            count[message.partition() or 0] = count.get(message.partition() or 0, 0) + 1
    return count


def _agree(settings: Settings) -> bool:
    return _shown(settings) == _without_result(settings)


def test_the_lag_of_commands_always_counts_those_without_a_result(quick_settings: Settings) -> None:
    settings = quick_settings
    names = create_topics(settings)
    long, quick = [_long(n) for n in range(3)], [_quick(n) for n in range(12)]
    for one in (long[0], *quick[:6], long[1], *quick[6:]):
        # a transaction for each command, so that there are as many markers as commands
        issue_commands(settings, [one], partition=1)
    issue_commands(settings, [long[2]], partition=2)
    never_taken = _shown(settings)

    with celery_worker(settings, "-c4", name="first") as worker:
        wait_for_results(settings, quick, worker)
        wait_until(lambda: _shown(settings) == {1: 2, 2: 1}, "what is finished behind a long task is committed")
        issue_commands(settings, later := [_long(n) for n in range(10, 18)], partition=1)
        wait_until(lambda: _shown(settings) == {1: 10, 2: 1}, "those in hand are unfinished")
        assert _agree(settings)
        worker.kill()
    issue_commands(settings, [_quick(99)], partition=3)
    killed = _shown(settings)
    assert _agree(settings)
    row = _rows(settings, names.commands)[1]

    assert never_taken == {1: 14, 2: 1}
    assert killed == {1: 2 + len(later), 2: 1, 3: 1}
    assert (row.committed, row.end, row.lag) == (0, 2 * 14 + len(later) + 1, 2 * 14 + len(later) + 1)


def test_commands_that_retention_has_removed_do_not_count_as_lag(settings: Settings) -> None:
    names = create_topics(settings)
    for n in range(6):
        issue_commands(settings, [_quick(n)], partition=1)
    admin = admin_client(settings)
    for future in admin.delete_records([TopicPartition(names.commands, 1, 5)]).values():
        future.result()

    fresh = _rows(settings, names.commands)[1]
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    commit_offsets(consumer, [TopicPartition(names.commands, 1, 2)])
    consumer.close()
    behind = _rows(settings, names.commands)[1]

    assert (fresh.committed, fresh.end, fresh.records) == (5, 12, 3)
    assert (behind.committed, behind.lag, behind.records) == (2, 10, 3)


def test_with_the_dispatcher_a_command_is_finished_once_the_app_s_broker_has_it(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    create_topics(settings)
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    for n in range(5):
        issue_commands(settings, [_quick(n)], partition=1)
    with dispatcher(settings, server.url) as moving:
        wait_until(lambda: "the Celery broker does not answer" in moving.log_text(), "the dispatcher has noticed")
        assert _shown(settings) == {1: 5}
        server.start()
        try:
            wait_until(lambda: _shown(settings) == {}, "all are in the broker")
            assert _without_result(settings) == {1: 5}, "nobody runs them: the broker's queue has them"
            assert moving.terminate() == 0
        finally:
            server.kill()


def test_the_lag_of_events_counts_those_that_no_worker_has_applied(settings: Settings) -> None:
    names = create_topics(settings)
    application = Application(settings)
    with WorkerProcess(settings, "w0") as worker:
        for n in range(20):
            application.fire(f"s{n}", {"trigger": "page"})
        application.flush()
        wait_until_processed(settings)
        applied = sum(row.records or 0 for row in _rows(settings, names.events).values())
        wait_until(lambda: worker.metric("triggers_lag_events") == 0, "the worker says so, too")
        worker.kill()
    for n in range(7):
        application.fire(f"s{n}", {"trigger": "page"})
    application.flush()
    waiting = sum(row.records or 0 for row in _rows(settings, names.events).values())

    assert (applied, waiting) == (0, 7)


def test_events_after_an_open_transaction_are_unfinished(settings: Settings) -> None:
    names = create_topics(settings)
    transactional = Producer({"bootstrap.servers": settings.brokers, "transactional.id": f"{settings.namespace}-open"})
    transactional.init_transactions(30)
    transactional.begin_transaction()
    transactional.produce(names.events, b'{"trigger": "a"}', b"s", partition=1)
    transactional.flush(30)
    plain = Producer({"bootstrap.servers": settings.brokers})
    for _ in range(3):
        plain.produce(names.events, b'{"trigger": "a"}', b"s", partition=1)
    plain.flush(30)

    undecided = _rows(settings, names.events)[1]
    transactional.abort_transaction(30)
    aborted = _rows(settings, names.events)[1]

    assert (undecided.lag, undecided.records) == (4, 4)
    assert (aborted.lag, aborted.records) == (5, 3)
    assert group_lag(settings) == 5


@pytest.mark.timeout(120)
def test_markers_of_other_transactions_after_an_open_transaction_do_not_hold_the_lag_up(settings: Settings) -> None:
    names = create_topics(settings)
    options = {"bootstrap.servers": settings.brokers}
    opened, other = (Producer(options | {"transactional.id": f"{settings.namespace}-{n}"}) for n in range(2))
    for producer in (opened, other):
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(names.events, b'{"trigger": "a"}', b"s", partition=1)
        producer.flush(30)
    other.commit_transaction(30)
    plain = Producer(options)
    plain.produce(names.events, b'{"trigger": "a"}', b"s", partition=1)
    plain.flush(30)

    undecided = _rows(settings, names.events)[1]
    opened.abort_transaction(30)

    assert (undecided.lag, undecided.records) == (4, 3)
