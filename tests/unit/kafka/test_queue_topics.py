"""A worker asks for the topics of queues in the middle of a batch, so what it cannot know yet refuses no event."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.errors import TryAgain
from triggers.kafka.queue_topics import BrokerQueues
from triggers.settings import Settings


def test_a_secret_that_is_just_being_replaced_aborts_the_batch_and_refuses_no_event(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("")
    settings = Settings(
        brokers="localhost:1",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_username="agent",
        kafka_password_file=str(secret),
    )

    with pytest.raises(TryAgain, match="TRIGGERS_KAFKA_PASSWORD_FILE"):
        BrokerQueues(settings).find_limit("gpu")
