"""Which partitions pause while others are reassigned, for how long, and what a worker reports meanwhile."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
from confluent_kafka import Producer
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application, Load, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.kafka.worker_options import producer_options
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

RATE = 500
_BUSY_MACHINE_S = 8.0
"""Additional seconds for a takeover on a busy machine."""


def longest_pauses(settings: Settings) -> dict[int, float]:
    """Returns the longest time without a written row, in seconds, by partition."""
    times = defaultdict[int, list[int]](list)
    for row in read_topic(settings, Topology(settings.namespace).changelog):
        times[row.partition() or 0].append(row.timestamp()[1])
    return {p: max(after - before for before, after in pairwise(sorted(found))) / 1000 for p, found in times.items()}


def test_surviving_workers_continue_while_the_partitions_of_a_killed_worker_are_reassigned(settings: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as survivor, WorkerProcess(settings, "w1") as victim:
        wait_until(lambda: bool(survivor.partitions() and victim.partitions()), "both workers own partitions")
        with Load(settings, events_per_s=RATE) as application:
            wait_until(lambda: application.published > 2 * RATE, "some load")
            kept, moving = survivor.partitions(), victim.partitions()
            victim.kill()
            wait_until(lambda: len(survivor.partitions()) == settings.partitions, "the survivor owns everything")
            after = application.published
            wait_until(lambda: application.published > after + RATE, "and goes on with it")
        wait_until_processed(settings)

        pauses = longest_pauses(settings)
        assert max(pauses[p] for p in moving) < settings.session_timeout_s + _BUSY_MACHINE_S, pauses
        # They would pause for as long as the others if the survivor gave its partitions up in a rebalance.
        assert max(pauses[p] for p in kept) < 0.8 * min(pauses[p] for p in moving), pauses
        assert_equals_fold(settings)


def open_transaction(settings: Settings, partition: int) -> Producer:
    """Opens a foreign transaction, which no worker can end and no read-committed reader can pass."""
    producer = Producer(producer_options(settings, "stranger", 1_000_000, 1_000_000))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(Topology(settings.namespace).changelog, b"never committed", b"sghost", partition)
    producer.flush(30)
    return producer


def test_a_worker_that_restores_is_not_ready_and_says_how_far_it_is(settings: Settings) -> None:
    create_topics(settings)
    application, uid = Application(settings), "s1"
    for session, event in interleaved(sessions=20, pages=3):
        application.fire(session, event)
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        worker.terminate()
        partition = partition_of(uid.encode(), settings.partitions)
        stranger = open_transaction(settings, partition)

        worker.start()

        wait_until(lambda: worker.get("/ready")[0] == 503, "the worker answers")
        wait_until(lambda: "partitions_left=1" in worker.log_text(), "it says how far it is")
        assert worker.metric("triggers_recovering_partitions") == 1
        assert worker.get("/ready") == (503, {"error": "restoring partitions [0, 1, 2, 3]"})
        assert worker.session(uid) == (503, {"error": f"partition {partition} is being restored"})

        stranger.abort_transaction(30)

        worker.wait_ready()
        assert worker.metric("triggers_recovering_partitions") == 0
        assert worker.session(uid)[0] == 200
