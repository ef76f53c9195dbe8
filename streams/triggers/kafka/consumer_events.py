"""What the worker makes of the events that librdkafka delivers in the place of a record."""

from __future__ import annotations

import structlog
from confluent_kafka import KafkaError, Message

from triggers.kafka.error_codes import is_passing
from triggers.kafka.records import or_minus_one
from triggers.process.exits import ExitCode, Stop

log = structlog.get_logger(__name__)


def survive_event(message: Message, error: KafkaError) -> None:
    """Log an event that passes. Raises Stop for any other one: records may be missing behind it, or none may come."""
    if is_passing(error):
        log.warning("the consumer reports", topic=message.topic(), error=error.name(), detail=error.str())
    elif error.fatal():
        raise Stop(ExitCode.FENCED, error.str())
    elif (partition := or_minus_one(message.partition())) < 0:
        raise Stop(ExitCode.BROKER, f"{error.name()}: {error.str()}")
    else:
        where = f"{message.topic()}/{partition}"
        raise Stop(ExitCode.UNREADABLE, f"{where} cannot be read: {error.name()}: {error.str()}")
