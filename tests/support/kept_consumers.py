"""Consumers that a test keeps while it waits: a new one costs ten times as much CPU time, most of it in the broker."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from confluent_kafka import Consumer

_OPTIONS = {
    "enable.auto.commit": False,
    "reconnect.backoff.max.ms": 500,  # so that a broker that a test restarts is found soon
}
_KEPT = dict[tuple[int, str, str], Consumer]()
"""By thread, brokers and group, because a consumer serves one call at a time."""


def kept_consumer(brokers: str, group: str, options: Mapping[str, str | int | bool] | None = None) -> Consumer:
    """Returns this thread's consumer of the group, which `close_consumers` closes. It has not joined the group.

    `options` must be the same for each call with the group.
    """
    key = (threading.get_ident(), brokers, group)
    if key not in _KEPT:
        _KEPT[key] = Consumer({"bootstrap.servers": brokers, "group.id": group, **_OPTIONS, **(options or {})})
    return _KEPT[key]


def close_consumers() -> None:
    """Closes the consumers of all threads. Called at the end of each test."""
    while _KEPT:
        _KEPT.popitem()[1].close()
