"""What every Kafka client of this package has in common."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from triggers.errors import BrokerUnavailable
from triggers.settings import Settings

Options = dict[str, str | int | float | bool]


def connection_options(settings: Settings) -> Options:
    """Options of librdkafka. It logs nothing by itself: what fails is raised."""
    return {"bootstrap.servers": settings.brokers, "log.connection.close": False, "log_level": 0}


def admin_client(settings: Settings) -> AdminClient:
    """A client for questions about topics and groups."""
    return AdminClient(connection_options(settings))


def unavailable(settings: Settings, error: KafkaException | KafkaError) -> BrokerUnavailable:
    """The error of a call that may succeed later, naming the brokers."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    return BrokerUnavailable(f"Kafka at {settings.brokers}: {cause.str()}")
