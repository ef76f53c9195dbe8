"""Checks, before a command begins, that a broker answers and that the topics exist, so that it fails at once."""

from __future__ import annotations

import re
from typing import Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from triggers.errors import AccessDenied, BrokerUnavailable, SettingsError, TopicMissing
from triggers.kafka.connection import admin_client
from triggers.kafka.connection_causes import ConnectionCauses
from triggers.kafka.error_codes import NOT_PERMITTED
from triggers.kafka.operator_properties import check_properties
from triggers.redaction import without_secrets
from triggers.settings import Settings
from triggers.topology import check_namespace

ANSWER_S = 4.0
"""Time for a broker to answer. It is shorter than what people take for a command that hangs."""


_ADDRESS: Final = re.compile(
    r"(?:(?:PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)://)?(?:\[[\w:.%]+\]|[\w.-]+)(?::(\d{1,5}))?"
)
"""The addresses that librdkafka accepts. It would wait for an answer of anything else."""


def check_addresses(brokers: str) -> None:
    """Raise SettingsError for what cannot be the address of a broker."""
    for address in brokers.split(","):
        match = _ADDRESS.fullmatch(address.strip())
        if match is None or int(match.group(1) or 1) not in range(1, 1 << 16):
            shown = without_secrets(address.strip())
            raise SettingsError(f"--brokers or TRIGGERS_BROKERS: {shown!r} must be host:port, such as kafka-1:9092")


def check_names(settings: Settings) -> None:
    """Raise SettingsError if no client can find brokers and topics by the settings, so that waiting would not help."""
    check_addresses(settings.brokers)
    check_namespace(settings.namespace)
    check_properties(settings)


def check_before_command(settings: Settings, *topics: str) -> None:
    """Check the settings by `check_names`, and the brokers and topics by `check_reachable`. Raise their errors."""
    check_names(settings)
    check_reachable(settings, *topics)


def check_reachable(settings: Settings, *topics: str) -> None:
    """Raise BrokerUnavailable if no broker answers, and TopicMissing if one of the topics does not exist. Blocks.

    Raise AccessDenied if the brokers refuse the connection, or do not let this client see a topic.
    """
    causes = ConnectionCauses(settings)
    admin = admin_client(settings, on_error=causes.record)
    try:
        existing = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        admin.poll(0)  # so that it reports the causes to the callback
        if (cause := causes.diagnosed_error()) is not None:
            raise cause from error
        fix = "name yours with --brokers or TRIGGERS_BROKERS, or start it"
        detail = f"{without_secrets(error.args[0].str())}; {fix}"
        raise BrokerUnavailable(
            f"no Kafka broker answers at {settings.shown_brokers} within {ANSWER_S:g} s: {detail}"
        ) from error
    if missing := [topic for topic in topics if topic not in existing or existing[topic].error is not None]:
        raise _invisible(settings, admin, missing)


def _invisible(settings: Settings, admin: AdminClient, topics: list[str]) -> BrokerUnavailable:
    """Return the error for topics that are not listed, because they are missing or hidden from this client."""
    if hidden := hidden_topics(admin, topics, ANSWER_S):
        return hidden_error(settings, hidden)
    return TopicMissing(missing_topics(settings, topics))


def hidden_topics(admin: AdminClient, topics: list[str], timeout_s: float) -> list[str]:
    """Return those of the topics that the client may not describe, whether they exist or not. Blocks."""
    described = admin.describe_topics(TopicCollection(topics), request_timeout=timeout_s)
    return [topic for topic, future in described.items() if _code(future.exception()) in NOT_PERMITTED]


def hidden_error(settings: Settings, topics: list[str]) -> AccessDenied:
    """Return the error for topics that the client may not describe."""
    where = f"Kafka at {settings.shown_brokers} does not permit Describe on topic {', '.join(topics)}"
    return AccessDenied(f"{where}: `triggers doctor --process PROCESS` says what a process needs")


def _code(error: BaseException | None) -> int | None:
    return error.args[0].code() if isinstance(error, KafkaException) else None


def missing_topics(settings: Settings, topics: list[str]) -> str:
    """Return the message for topics that do not exist."""
    name = f"TRIGGERS_NAMESPACE is {settings.namespace!r}"
    where = f"Kafka at {settings.shown_brokers} has no topic {', '.join(topics)} ({name})"
    return f"{where}: run `triggers topics create`, or name the namespace with --namespace"
