"""Handles the errors that librdkafka delivers to the worker instead of a record."""

from __future__ import annotations

import structlog
from confluent_kafka import KafkaError, Message

from triggers.kafka.error_codes import is_transient
from triggers.kafka.records import or_minus_one
from triggers.process.exits import ExitCode, Stop

log = structlog.get_logger(__name__)


def stop_unless_transient(message: Message, error: KafkaError) -> None:
    """Logs a transient error. Raises Stop for any other error, because later records may be missing or never arrive."""
    if is_transient(error):
        log.warning("the consumer reports an error", topic=message.topic(), error=error.name(), detail=error.str())
    elif error.fatal():
        raise Stop(ExitCode.FENCED, error.str())
    elif (partition := or_minus_one(message.partition())) < 0:
        raise Stop(ExitCode.BROKER, f"{error.name()}: {error.str()}")
    else:
        name = f"{message.topic()}/{partition}"
        raise Stop(ExitCode.UNREADABLE, f"{name} cannot be read: {error.name()}: {error.str()}")
