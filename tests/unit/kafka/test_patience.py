"""The watchdog of the Kafka thread waits longer than any call on that thread may take."""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka import KafkaError, KafkaException

from triggers.kafka.patience import Patience
from triggers.kafka.repeated_calls import repeat_while_retriable


@pytest.mark.parametrize("transaction_s", [0.1, 1, 45, 900])
def test_the_watchdog_outlasts_the_slowest_commit_and_the_queries_before_it(transaction_s: float) -> None:
    patience = Patience(transaction_s)

    steps = patience.start_s + patience.offsets_s + patience.commit_s + patience.abort_s
    assert steps < patience.longest_commit_s
    assert patience.longest_commit_s + patience.group_offsets_s < patience.watchdog_s


def test_a_repeated_step_exceeds_its_time_by_less_than_the_allowance() -> None:
    def use_all_the_time(timeout_s: float) -> None:
        threading.Event().wait(timeout_s)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "nobody answers", retriable=True))

    began = time.monotonic()
    with pytest.raises(KafkaException, match="nobody answers"):
        repeat_while_retriable(use_all_the_time, 0.5)

    assert time.monotonic() - began < 0.5 + 3
