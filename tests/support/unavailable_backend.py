"""A result backend of Celery that never answers."""

from __future__ import annotations

from celery.backends.base import KeyValueStoreBackend


class BackendUnavailable(Exception):
    """The exception that the client of the backend raises."""


class UnavailableBackend(KeyValueStoreBackend):  # type: ignore[misc]  # Celery carries no types
    """Raises in every call."""

    def get(self, key: object) -> object:
        raise BackendUnavailable(key)

    def set(self, key: object, _value: object) -> None:
        raise BackendUnavailable(key)
