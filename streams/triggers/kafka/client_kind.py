"""`ClientKind`: the kinds of Kafka clients, which may have different properties."""

from __future__ import annotations

from enum import StrEnum


class ClientKind(StrEnum):
    """A kind of client. Its value is the prefix of properties that are only for this kind."""

    CONSUMER = "consumer"
    PRODUCER = "producer"
    ADMIN = "admin"
