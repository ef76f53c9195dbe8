"""Times as people give them: RFC 3339, or as commands print them, which is UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_milliseconds(text: str) -> int:
    """Since 1970-01-01 UTC; without a zone it is UTC, a date is its first moment. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
