"""The colours of statuses in all output formats."""

from __future__ import annotations

from typing import Final

from triggers.core.statuses import Status

_COLOURS: Final[dict[str, str]] = {
    Status.UNSTARTED: "#ffffff",
    Status.SCHEDULED: "#fff3c4",
    Status.RUNNING: "#cfe8ff",
    Status.FINISHED: "#d5f0d5",
    Status.FAILED: "#f8d0cc",
    Status.SKIPPED: "#e6e0f0",
    Status.ABANDONED: "#e4e4e4",
    Status.REPLAYED: "#f3e6d0",
}
_OWN: Final = "#e0f2f1"
"""The colour of the application's own statuses."""


def colour(status: str) -> str:
    """Returns a background colour that is light enough for black text."""
    return _COLOURS.get(status, _OWN)
