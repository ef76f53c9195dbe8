"""Handles the errors that librdkafka delivers to the worker instead of a record."""

from __future__ import annotations

import structlog
from confluent_kafka import KafkaError, Message

from triggers.kafka.error_codes import NOT_PERMITTED, is_transient
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
        raise Stop(ExitCode.BROKER, f"{error.name()}: {error.str()}{hint_of_denial(error)}")
    else:
        name = f"{message.topic()}/{partition}"
        why = f"{name} cannot be read: {error.name()}: {error.str()}{hint_of_denial(error)}"
        raise Stop(ExitCode.UNREADABLE, why)


def hint_of_denial(error: KafkaError) -> str:
    """Returns how to find the missing ACL if the brokers have denied something to a worker; otherwise nothing."""
    if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return f"; grant Write on transactional-id <namespace>-*: {_ALL_ACLS}"
    return f"; {_ALL_ACLS}" if error.code() in NOT_PERMITTED else ""


_ALL_ACLS = "`triggers topics acls --process agent` prints what a worker needs, and `triggers doctor` what is missing"
