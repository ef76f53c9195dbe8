"""The wait for a broker in the middle of a transaction."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from triggers.commit.transaction import Transactions
from triggers.kafka.connection import Options
from triggers.kafka.patience import Patience


def test_a_call_that_is_refused_at_once_is_repeated_with_pauses() -> None:
    options: Options = {"bootstrap.servers": "localhost:1", "client.id": "w", "transactional.id": "w", "log_level": 0}
    transactions = Transactions(options, source="events", changelog="changelog", patience=Patience(0.5))
    calls = []

    def refuse(timeout_s: float) -> None:
        calls.append(timeout_s)
        raise KafkaException(KafkaError(KafkaError._CONFLICT, "another call is in progress", retriable=True))

    with pytest.raises(KafkaException, match="in progress"):
        transactions._retry(refuse, 0.5)

    assert 1 < len(calls) < 10
