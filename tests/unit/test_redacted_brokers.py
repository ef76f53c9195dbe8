"""Messages and log lines name the brokers without passwords, whatever an operator has written there."""

from __future__ import annotations

import ast
import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

import triggers
from triggers.client.published_rules import StreamRules
from triggers.client.publisher import KafkaPublisher
from triggers.core.events import RulesPublished, TriggerFired
from triggers.errors import TriggersError
from triggers.kafka import installed_topics, queue_topics, range_reads, transactional_sending
from triggers.kafka.connection import unavailable
from triggers.kafka.offset_reads import read_offsets
from triggers.kafka.reachability import check_reachable, missing_topics
from triggers.kafka.topics import create_topics
from triggers.settings import Settings

SECRET = "s3cr3t"  # noqa: S105  # it opens nothing
BROKERS = f"127.0.0.1:1,sasl.password={SECRET}"
"""Settings refuse `@` and `?`, so this is what can be left of a pasted configuration."""
SETTINGS = Settings(brokers=BROKERS, publish_timeout_s=0.5, read_timeout_s=0.5)
PACKAGE = Path(triggers.__file__).parent
RAW = {
    "kafka/connection.py": 1,  # the option of every client
    "dev/demo.py": 1,  # an argument of the producer
    "cli/demo.py": 1,  # a command to copy
    "cli/dev.py": 1,  # a command to copy
    "cli/topics_acls.py": 1,  # commands to run
    "kafka/msk_iam.py": 1,  # the region is in the name
    "kafka/tls_trial.py": 1,  # an address to connect to
    "kafka/reachability.py": 1,  # the check of each address, which masks it
    "settings.py": 1,  # the mask itself
}
"""Modules that need the address itself -> how often."""


def _missing_topic() -> TriggersError:
    return transactional_sending._error_for(SETTINGS, KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))


def _wait_for_topics() -> None:
    async def wait_a_moment() -> None:
        async with asyncio.timeout(1.5):
            await installed_topics.wait_for_topics(SETTINGS)

    with pytest.raises(TimeoutError):
        asyncio.run(wait_a_moment())


MESSAGES: Mapping[str, Callable[[], object]] = {
    "an error of librdkafka": lambda: unavailable(SETTINGS, KafkaError(KafkaError._TRANSPORT, BROKERS)),
    "a command": lambda: check_reachable(SETTINGS),
    "missing topics": lambda: missing_topics(SETTINGS, ["t"]),
    "a missing topic of rules": _missing_topic,
    "a worker that waits": _wait_for_topics,
    "creating topics": lambda: create_topics(SETTINGS),
    "a queue": lambda: queue_topics.BrokerQueues(SETTINGS).find_limit("q"),
    "a range": lambda: list(range_reads.read_range(SETTINGS, "t", {0: 0})),
    "offsets": lambda: list(read_offsets(SETTINGS, "t", {0: [1]})),
    "publishing rules": lambda: StreamRules(SETTINGS).publish(RulesPublished(name="n", version=0, configuration=b"{}")),
    "firing": lambda: KafkaPublisher(SETTINGS).publish("uid", TriggerFired(trigger="t")),
}


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker will answer, so a short timeout shows the same message."""
    for module in ("topics", "range_reads", "offset_reads", "installed_topics", "queue_topics"):
        monkeypatch.setattr(f"triggers.kafka.{module}._TIMEOUT_S", 0.5)
    monkeypatch.setattr("triggers.kafka.reachability.ANSWER_S", 0.5)
    monkeypatch.setattr("triggers.kafka.queue_topics._HANGS_AFTER_S", 0.1)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_names_the_brokers_without_passwords(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), capture_logs() as lines:
        try:
            shown = str(MESSAGES[name]())
        except TriggersError as error:
            shown = str(error)
    everything = shown + caplog.text + str(lines)

    assert SECRET not in everything
    assert "127.0.0.1:1" in everything


def test_every_other_text_takes_the_brokers_from_the_one_place_that_masks_them() -> None:
    read = {
        str(path.relative_to(PACKAGE)): count
        for path in PACKAGE.rglob("*.py")
        if (count := sum(_is_brokers_of_settings(node) for node in ast.walk(ast.parse(path.read_text()))))
    }

    assert read == RAW


def _is_brokers_of_settings(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Attribute) and node.attr == "brokers"):
        return False
    owner = node.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name.lstrip("_") in {"settings", "self"}
