"""Tries to use a transactional id, because Kafka has no request that tells whether a client may."""

from __future__ import annotations

from confluent_kafka import Producer

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import client_options
from triggers.settings import Settings


def start_and_end(settings: Settings, transactional_id: str, timeout_s: float) -> None:
    """Registers a producer with the id and writes nothing. Blocks. Raises KafkaException.

    A producer that already uses the id is fenced, so pass an id that nobody uses.
    """
    options = client_options(settings, ClientKind.PRODUCER, {"transactional.id": transactional_id})
    Producer(options).init_transactions(timeout_s)
