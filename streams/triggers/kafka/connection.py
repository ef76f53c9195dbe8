"""Options, admin client and error that all Kafka clients of this package share."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from triggers.errors import BrokerUnavailable
from triggers.redaction import without_secrets
from triggers.settings import Settings

Options = dict[str, str | int | float | bool]


def connection_options(settings: Settings) -> Options:
    """Returns the librdkafka options of every client. They disable its log, because errors are raised."""
    return {"bootstrap.servers": settings.brokers, "log.connection.close": False, "log_level": 0}


def admin_client(settings: Settings) -> AdminClient:
    """Returns a client that describes topics and consumer groups. It connects in the background."""
    return AdminClient(connection_options(settings))


def unavailable(settings: Settings, error: KafkaException | KafkaError) -> BrokerUnavailable:
    """Returns the error to raise for an error of librdkafka. Its message names the brokers, without passwords."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    return BrokerUnavailable(f"Kafka at {settings.shown_brokers}: {without_secrets(cause.str())}")
