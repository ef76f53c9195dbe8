"""Checks, before a command begins, that a broker answers and that the topics exist, so that it fails at once."""

from __future__ import annotations

import re
from typing import Final

from confluent_kafka import KafkaException

from triggers.errors import BrokerUnavailable, SettingsError, TopicMissing
from triggers.kafka.connection import admin_client
from triggers.redaction import without_secrets
from triggers.settings import Settings
from triggers.topology import check_namespace

ANSWER_S = 4.0
"""Time for a broker to answer. It is shorter than what people take for a command that hangs."""


_ADDRESS: Final = re.compile(
    r"(?:(?:PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)://)?(?:\[[\w:.%]+\]|[\w.-]+)(?::(\d{1,5}))?"
)
"""What librdkafka accepts. It would wait for an answer of anything else."""


def check_addresses(brokers: str) -> None:
    """Raise SettingsError for what cannot be the address of a broker."""
    for address in brokers.split(","):
        match = _ADDRESS.fullmatch(address.strip())
        if match is None or int(match.group(1) or 1) not in range(1, 1 << 16):
            shown = without_secrets(address.strip())
            raise SettingsError(f"--brokers or TRIGGERS_BROKERS: {shown!r} must be host:port, such as kafka-1:9092")


def check_names(settings: Settings) -> None:
    """Raise SettingsError if the settings cannot name brokers and topics, so that waiting for them would not help."""
    check_addresses(settings.brokers)
    check_namespace(settings.namespace)


def check_before_command(settings: Settings, *topics: str) -> None:
    """Check what `check_names` and `check_reachable` do."""
    check_names(settings)
    check_reachable(settings, *topics)


def check_reachable(settings: Settings, *topics: str) -> None:
    """Raise BrokerUnavailable if no broker answers, and TopicMissing if one of the topics does not exist. Blocks."""
    try:
        existing = admin_client(settings).list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        fix = "name yours with --brokers or TRIGGERS_BROKERS, or start it"
        detail = f"{without_secrets(error.args[0].str())}; {fix}"
        raise BrokerUnavailable(
            f"no Kafka broker answers at {settings.shown_brokers} within {ANSWER_S:g} s: {detail}"
        ) from error
    if missing := [topic for topic in topics if topic not in existing or existing[topic].error is not None]:
        raise TopicMissing(missing_topics(settings, missing))


def missing_topics(settings: Settings, topics: list[str]) -> str:
    """Return the message for topics that do not exist."""
    name = f"TRIGGERS_NAMESPACE is {settings.namespace!r}"
    where = f"Kafka at {settings.shown_brokers} has no topic {', '.join(topics)} ({name})"
    return f"{where}: run `triggers topics create`, or name the namespace with --namespace"
