"""Errors that are raised when a lock cannot be acquired."""

from __future__ import annotations

from triggers.errors import CallError, TryAgain


class LockAcquisitionFailed(TryAgain, RuntimeError):
    """Another thread or process holds the lock, or the lock has expired."""


class NotSupported(CallError, TypeError):
    """The storage cannot do this: its cache has no locks, or its session changes by events only."""
