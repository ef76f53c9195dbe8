"""Finds out which commands are finished, if the installed packages include Celery."""

from __future__ import annotations

from collections.abc import Callable

from triggers.client.consumer_lag import Finished
from triggers.errors import MissingExtra


def finished_of_executors() -> Callable[[int, str], Finished] | None:
    """Return what reads the executors' ledger, or None without Celery: then the lag counts finished commands, too."""
    try:
        from triggers.celery.ledger import finished_beyond
    except MissingExtra:
        return None
    return finished_beyond
