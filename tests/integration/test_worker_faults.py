"""Whatever dies, state and commands equal the fold of the events topic: nothing is lost, wrong or repeated."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.support.fold_oracle import assert_equals_fold
from tests.support.offsets import commit_offsets
from tests.support.partition_files import assert_files_equal_fold, corrupt_file
from tests.support.questionnaires import Application, Load, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerEnded, WorkerProcess

from triggers.core.state.rows import header_key
from triggers.process.exits import ExitCode
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

RATE = 1000


def wait_until_shared(first: WorkerProcess, second: WorkerProcess) -> None:
    wait_until(lambda: bool(first.partitions() and second.partitions()), "both workers own partitions")


def wait_until_alone(worker: WorkerProcess, settings: Settings) -> None:
    wait_until(lambda: len(worker.partitions()) == settings.partitions, f"{worker.name} owns everything")


def test_a_killed_worker_loses_nothing_and_repeats_nothing(settings: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as first, WorkerProcess(settings, "w1") as second:
        wait_until_shared(first, second)
        with Load(settings, events_per_s=RATE) as application:
            wait_until(lambda: application.published > 2 * RATE, "some load")
            first.kill()
            wait_until_alone(second, settings)
            first.start()
            wait_until_shared(first, second)
        wait_until_processed(settings)

        assert_equals_fold(settings)
        assert_files_equal_fold(settings, first, second)


def test_a_worker_that_is_stopped_hands_its_partitions_over_at_once(settings: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as first, WorkerProcess(settings, "w1") as second:
        wait_until_shared(first, second)
        with Load(settings, events_per_s=RATE) as application:
            wait_until(lambda: application.published > RATE, "some load")

            assert first.terminate() == 0

            wait_until_alone(second, settings)
        wait_until_processed(settings)

        assert_equals_fold(settings)
        assert_files_equal_fold(settings, second)


def test_a_wiped_disk_is_restored_from_the_changelog(settings: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        with Load(settings, events_per_s=RATE) as application:
            wait_until(lambda: application.published > 2 * RATE, "some load")
            wait_until(lambda: worker.metric("triggers_events_total") > RATE, "much of it is processed")
            worker.kill()
            shutil.rmtree(worker.data)
            worker.start()
            worker.wait_ready()
        wait_until_processed(settings)

        assert worker.metric("triggers_restored_rows_total") > 0
        assert_equals_fold(settings)
        assert_files_equal_fold(settings, worker)


def test_a_retained_partition_is_not_restored_again(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for uid, event in interleaved(sessions=200, pages=5):
        application.fire(uid, event)
    application.flush()
    with WorkerProcess(settings, "w0") as first:
        wait_until_processed(settings)
        with WorkerProcess(settings, "w1") as second, Load(settings, events_per_s=RATE):
            wait_until_shared(first, second)
            second.terminate()
            wait_until_alone(first, settings)
        wait_until_processed(settings)

        restores = [line for line in first.log_text().splitlines() if "restored" in line]
        assert len(restores) == 2
        assert "partitions=[0, 1, 2, 3]" in restores[0]
        assert "partitions=[0, 1, 2, 3]" not in restores[1]
        assert_files_equal_fold(settings, first)


def write_row(settings: Settings, changelog: str, key: bytes, row: bytes) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers})
    producer.produce(changelog, row, key, partition_of(b"s1", settings.partitions))
    assert producer.flush(30) == 0


def reset_offsets(settings: Settings, offset: int) -> None:
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents, "enable.auto.commit": False})
    places = [TopicPartition(names.events, p, offset) for p in range(settings.partitions)]
    commit_offsets(consumer, places)
    consumer.close()


def test_sessions_whose_offsets_are_gone_are_not_applied_again(settings: Settings) -> None:
    create_topics(settings)
    write_row(settings, Topology(settings.namespace).changelog, b"sghost", b"row")

    with WorkerProcess(settings, "w0") as worker:
        assert worker.join() == ExitCode.MISFIT

    assert "kafka-consumer-groups.sh --reset-offsets" in worker.log_text()


def test_a_broken_file_is_set_aside_and_rebuilt(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for uid, event in interleaved(sessions=50, pages=5):
        application.fire(uid, event)
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        worker.terminate()
        broken = sorted(worker.data.glob("**/*.db"))
        for path in broken:
            (path / "CURRENT").write_text("garbage\n")
        worker.start()
        worker.wait_ready()

        assert len(list(worker.data.glob("**/*.broken"))) == len(broken)
        assert_files_equal_fold(settings, worker)


def test_a_block_that_a_query_cannot_read_ends_the_worker_and_is_rebuilt(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for uid, event in interleaved(sessions=50, pages=5):
        application.fire(uid, event)
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        for _ in range(2):  # the second start moves the rows from RocksDB's log into its tables
            assert worker.terminate() == 0
            worker.start()
            worker.wait_ready()
        worker.kill()
        corrupt_file(next(worker.data.glob("**/*.sst")))
        worker.start()
        worker.wait_ready()

        with suppress(WorkerEnded):
            for number in range(50):
                worker.session(f"s{number}")

        assert worker.join() == ExitCode.STORAGE
        worker.start()
        worker.wait_ready()
        assert all(worker.session(f"s{number}")[0] == 200 for number in range(50))
        assert_files_equal_fold(settings, worker)


def test_two_workers_under_one_id_fence_each_other(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    with WorkerProcess(settings, "w0") as first:
        first.wait_ready()
        second = WorkerProcess(settings, "w0", log=Path(settings.data_dir) / "twin.log")
        second.settings = msgspec.structs.replace(second.settings, data_dir=Path(settings.data_dir) / "elsewhere")
        with second:
            second.wait_ready()
            for uid, event in interleaved(sessions=20, pages=3):
                application.fire(uid, event)
            application.flush()

            assert first.join() == 75

        assert "fenced" in first.log_text().lower()


def test_a_bug_in_the_engine_ends_the_worker_and_skips_nothing(settings: Settings) -> None:
    """A header row that no version can read stands for the bug."""
    names = Topology(settings.namespace)
    create_topics(settings)
    write_row(settings, names.changelog, header_key("s1"), b"\xc1")
    reset_offsets(settings, 0)
    application = Application(settings)
    application.fire("s1", {"trigger": "a"})
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        assert worker.join() == 70

    assert "offset 0" in worker.log_text()
