"""The recorded histories are reproduced through Kafka and a worker, because every driver uses the same engine."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.histories import CURATED, RANDOM, assert_reproduced, read_histories
from tests.support.stream_driver import OutputFeed, StreamDriver
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.analysis.verify.histories import verify_history
from triggers.client import KafkaPublisher, SessionReader
from triggers.client.published_rules import StreamRules
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


def _without_hooks(history: dict[str, Any]) -> dict[str, Any]:
    for step in history["steps"]:
        step["expect"].pop("hooks", None)
    return history


def test_recorded_histories_are_reproduced_through_kafka(settings: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker, OutputFeed(settings) as feed, ThreadPoolExecutor(32) as threads:
        worker.wait_ready()
        parts = KafkaPublisher(settings), SessionReader(settings), feed, StreamRules(settings)

        for file in (CURATED, RANDOM):
            histories = [_without_hooks(json.loads(line)) for line in read_histories("stream", file)]
            results = threads.map(lambda history: verify_history(history, StreamDriver(*parts)), histories)
            assert_reproduced("stream", file, results)

    assert_equals_fold(settings)
