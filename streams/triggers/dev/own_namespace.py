"""A namespace that nobody else uses, gone at the end: a run on somebody's broker leaves no topic behind."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from confluent_kafka import KafkaException

from triggers.client.connection import admin_client
from triggers.client.topics import create_topics, plan_topics
from triggers.settings import Settings

_TIMEOUT_S = 10.0


@contextmanager
def own_namespace(settings: Settings, prefix: str) -> Iterator[Settings]:
    """The settings in a namespace of its own, with its topics. Raises BrokerUnavailable."""
    own = msgspec.structs.replace(settings, namespace=f"{prefix}-{uuid.uuid4().hex[:8]}")
    try:
        create_topics(own)
        yield own
    finally:
        _remove_topics(own)


def _remove_topics(settings: Settings) -> None:
    """Those that are there; a broker that is gone has taken them with it."""
    admin = admin_client(settings)
    names = [plan.name for plan in plan_topics(settings)]
    for future in admin.delete_topics(names, request_timeout=_TIMEOUT_S).values():
        with suppress(KafkaException):
            future.result()
