"""Errors that are raised when a lock cannot be acquired."""

from __future__ import annotations

from triggers.errors import CallError, TryAgain


class LockAcquisitionFailed(TryAgain, RuntimeError):
    """Somebody else holds the lock."""


class NotSupported(CallError, TypeError):
    """This storage cannot do that: its cache has no locks, or it changes by events only."""
