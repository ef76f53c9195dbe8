"""A result backend of Celery that never answers."""

from __future__ import annotations

from celery.backends.base import KeyValueStoreBackend


class BackendAway(Exception):
    """What the client of the backend raises."""


class AwayBackend(KeyValueStoreBackend):  # type: ignore[misc]  # Celery carries no types
    """Raises in every call."""

    def get(self, key: object) -> object:
        raise BackendAway(key)

    def set(self, key: object, _value: object) -> None:
        raise BackendAway(key)
