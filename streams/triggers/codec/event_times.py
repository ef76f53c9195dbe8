"""The time of an event, which its producer may give, and the timestamp of its record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from triggers.codec.reasons import Reason
from triggers.errors import Undecodable

MAX_TIME: Final = 253_402_300_799_999
"""The end of the year 9999 in milliseconds since 1970-01-01 UTC."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def event_times(claimed: int | datetime | None, recorded: int) -> tuple[int, int]:
    """Returns the `time` and `recorded` of an event: the time that its producer claims, or else the record's timestamp.

    Raises Undecodable for a time without a zone or out of range.
    """
    if not claimed:
        return recorded, 0
    if isinstance(claimed, datetime):
        if claimed.tzinfo is None:
            raise Undecodable(Reason.WRONG_SHAPE, f"time needs a zone: write {claimed.isoformat()}Z or add an offset")
        claimed = (claimed - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= claimed <= MAX_TIME:
        raise Undecodable(Reason.OUT_OF_RANGE, f"time must be milliseconds since 1970 up to {MAX_TIME}, not {claimed}")
    return claimed, recorded if claimed != recorded else 0
