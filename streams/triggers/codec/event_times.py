"""An event's own time beside its record's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from triggers.codec.reasons import Reason
from triggers.errors import Undecodable

MAX_TIME: Final = 253_402_300_799_999
"""The end of the year 9999 in milliseconds."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def times(given: int | datetime | None, recorded: int) -> tuple[int, int]:
    """`time` and `recorded` of an event: what its producer gave, else the record's timestamp. Raises Undecodable."""
    if not given:
        return recorded, 0
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise Undecodable(Reason.WRONG_SHAPE, f"time needs a zone: {given.isoformat()}Z or an offset")
        given = (given - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= given <= MAX_TIME:
        raise Undecodable(Reason.OUT_OF_RANGE, f"time must be milliseconds since 1970 up to {MAX_TIME}, it is {given}")
    return given, recorded if given != recorded else 0
