"""Checks, before a command begins, that a broker answers and that the topics exist, so that it fails at once."""

from __future__ import annotations

from confluent_kafka import KafkaException

from triggers.errors import BrokerUnavailable, TopicMissing
from triggers.kafka.connection import admin_client
from triggers.settings import Settings

ANSWER_S = 4.0
"""Time for a broker to answer. It is shorter than what people take for a command that hangs."""


def check_reachable(settings: Settings, *topics: str) -> None:
    """Raise BrokerUnavailable if no broker answers, and TopicMissing if one of the topics does not exist. Blocks."""
    try:
        existing = admin_client(settings).list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        fix = "name yours with --brokers or TRIGGERS_BROKERS, or start it"
        detail = f"{error.args[0].str()}; {fix}"
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
