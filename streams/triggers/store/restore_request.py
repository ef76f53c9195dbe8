"""`RestoreRequest`: the partitions to restore, of which some may be revoked before the restore begins."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event


class RestoreRequest:
    """The partitions that a restore was requested for and that have not been revoked since.

    A restore waits for the one before it. If the partitions were only known to the waiting thread, one that is revoked
    meanwhile would be restored nevertheless, into files that are closed by then.
    """

    def __init__(self, partitions: Iterable[int]) -> None:
        self.wanted = set(partitions)
        """Changed only with the restorer's lock for writing."""
        self.stop = Event()
        """Set it to end the restore before its next write."""
