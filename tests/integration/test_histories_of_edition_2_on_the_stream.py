"""Histories of edition 2 are reproduced through Kafka and a worker: commands, cancellations, decisions, state."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.edition2.histories import CURATED, RANDOM, histories
from tests.support.edition2.stream_histories import QUEUES, StreamHistories, is_for_the_stream, stop_the_clock
from tests.support.histories import reproduced
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

EVERY = {CURATED: 20, RANDOM: 50}
"""File -> n: every n-th history runs here. `HISTORIES=8` runs about 400, `HISTORIES=all` about 1,300."""


def test_histories_of_edition_2_are_reproduced_through_kafka(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, partitions=1, decisions=True)
    create_topics(settings, queues=QUEUES, decisions=True, has_append_times=False)
    chosen = [each for file, every in EVERY.items() for each in histories(file, every) if is_for_the_stream(each)]
    with WorkerProcess(settings, "w0", plant=stop_the_clock) as worker:
        worker.wait_ready()
        stream = StreamHistories(settings)

        differences = [line for history in chosen for line in stream.run(history)]

        assert differences == []
        assert stream.differences_of_topics() == []
    assert len(chosen) >= 40
    reproduced["stream, edition 2"] += len(chosen)
