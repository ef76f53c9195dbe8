"""When a broker is killed and started again, workers wait and then continue where they were."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.support.fold_oracle import assert_equals_fold
from tests.support.offsets import fetch_committed
from tests.support.questionnaires import Application, Load, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.dev.broker import Broker
from triggers.kafka.patience import Patience
from triggers.kafka.worker_options import producer_options
from triggers.process.exits import Stop
from triggers.settings import Settings
from triggers.store.batch import Batch
from triggers.store.transaction import Transactions

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


@pytest.fixture
def settings(own_broker: Broker, namespace: str, tmp_path: Path) -> Settings:
    return Settings(
        brokers=own_broker.address,
        namespace=namespace,
        partitions=4,
        data_dir=tmp_path / "data",
        web_port=0,
        session_timeout_s=6.0,
    )


def test_a_broker_killed_under_load_loses_no_event_and_ends_no_worker(settings: Settings, own_broker: Broker) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as first, WorkerProcess(settings, "w1") as second:
        wait_until(lambda: bool(first.partitions() and second.partitions()), "both workers own partitions")
        with Load(settings, events_per_s=500) as application:
            wait_until(lambda: application.published > 500, "some load")
            own_broker.kill()
            time.sleep(2)  # the length of the outage
            own_broker.start()
            before = application.published
            wait_until(lambda: application.published > before + 500, "load after the outage")
        wait_until_processed(settings)

        assert first.running
        assert second.running
        assert_equals_fold(settings)


def test_a_worker_started_before_its_broker_waits_for_it(settings: Settings, own_broker: Broker) -> None:
    create_topics(settings)
    application = Application(settings)
    for uid, event in interleaved(sessions=10, pages=3):
        application.fire(uid, event)
    application.flush()
    own_broker.kill()
    with WorkerProcess(settings, "w0") as worker:
        wait_until(lambda: "no broker answers" in worker.log_text(), "it says what it waits for")
        assert worker.get("/live")[0] == 200
        assert worker.get("/ready") == (503, {"error": "waiting for the broker and the topics"})

        own_broker.start()
        worker.wait_ready()

        wait_until_processed(settings)
        assert_equals_fold(settings)


class BrokerDiesInTheCommit(Transactions):
    """A transaction whose broker is killed when all but the commit has been sent."""

    broker: Broker

    def _add_offsets(self, offsets: Mapping[int, int], group: object) -> None:
        super()._add_offsets(offsets, group)
        self.broker.kill()


async def test_the_watchdog_waits_for_a_commit_that_gets_no_answer(settings: Settings, own_broker: Broker) -> None:
    names, patience = create_topics(settings), Patience(2.0)
    options = producer_options(msgspec.structs.replace(settings, transaction_timeout_s=2.0), "w", 1_000_000, 1_000_000)
    transactions = BrokerDiesInTheCommit(options, source=names.events, changelog=names.changelog, patience=patience)
    transactions.broker = own_broker
    member = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents, "log_level": 0})
    fetch_committed(member, [TopicPartition(names.events, 0)])  # now the group has a coordinator
    transactions.fence_and_start()
    batch = Batch({}, frozenset({0}))
    batch.offsets[0] = 1

    began = time.monotonic()
    with pytest.raises(Stop):
        transactions.commit(batch, member.consumer_group_metadata())
    took_s = time.monotonic() - began
    member.close()

    assert patience.commit_s < took_s < patience.longest_commit_s < patience.watchdog_s
