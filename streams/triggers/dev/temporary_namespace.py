"""A temporary namespace, so that a run leaves no topics on the broker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from confluent_kafka import KafkaException

from triggers.kafka.connection import admin_client
from triggers.kafka.topics import create_topics, plan_topics
from triggers.settings import Settings

_TIMEOUT_S = 10.0


@contextmanager
def temporary_namespace(settings: Settings, prefix: str) -> Iterator[Settings]:
    """Create the topics of a new namespace, yield its settings, and delete the topics when the block ends.

    Raises BrokerUnavailable.
    """
    temporary = msgspec.structs.replace(settings, namespace=f"{prefix}-{uuid.uuid4().hex[:8]}")
    try:
        create_topics(temporary)
        yield temporary
    finally:
        _remove_topics(temporary)


def _remove_topics(settings: Settings) -> None:
    """Delete the topics. Errors are ignored: a topic may not exist, and the broker may be gone."""
    admin = admin_client(settings)
    names = [plan.name for plan in plan_topics(settings)]
    for future in admin.delete_topics(names, request_timeout=_TIMEOUT_S).values():
        with suppress(KafkaException):
            future.result()
