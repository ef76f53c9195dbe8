"""Events that are gone from the topic before they were applied: a worker ends, and says how to go on."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.support.one_session import commit_offset, fire_events
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.process.exits import ExitCode
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


def commits(settings: Settings, offset: int) -> bool:
    """Commit the offset and return whether that is possible yet: it is not while the group has members."""
    try:
        commit_offset(settings, offset)
    except KafkaException as error:
        if error.args[0].code() not in {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS}:
            raise
        return False
    return True


def test_events_that_were_removed_before_they_were_applied_end_the_worker_until_the_operator_decides(
    settings: Settings,
) -> None:
    names = create_topics(settings)
    fire_events(settings, 10)
    commit_offset(settings, 5)
    admin, place = AdminClient({"bootstrap.servers": settings.brokers}), TopicPartition(names.events, 0, 8)
    admin.delete_records([place])[place].result(30)

    with WorkerProcess(settings, "w0") as worker:
        assert worker.join() == ExitCode.EVENTS_GONE

        assert "offsets 5 to 7" in worker.log_text()
        assert f"--topic {names.events}:0 --reset-offsets --to-offset 8" in worker.log_text()

        wait_until(lambda: commits(settings, 8), "the group has missed the worker that is gone")
        worker.start()
        wait_until_processed(settings)


def test_a_log_that_ends_before_what_was_applied_ends_the_worker(settings: Settings) -> None:
    create_topics(settings)
    fire_events(settings, 10)
    commit_offset(settings, 1_000)

    with WorkerProcess(settings, "w0") as worker:
        assert worker.join() == ExitCode.EVENTS_GONE

        assert "the log ends at 11" in worker.log_text()


def test_a_partition_whose_events_have_all_been_refused_has_no_rows_to_lose(settings: Settings) -> None:
    names = create_topics(settings)
    producer = Producer({"bootstrap.servers": settings.brokers})
    producer.produce(names.events, b"no event", b"s", partition=0)
    assert producer.flush(30) == 0

    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        assert worker.terminate() == 0
    with WorkerProcess(settings, "w1") as another:
        another.wait_ready()
        fire_events(settings, 3)
        wait_until_processed(settings)
        assert another.terminate() == 0
