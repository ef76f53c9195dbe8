"""The headers that say by which way a record came to the events topic. A redrive replaces them."""

from __future__ import annotations

from typing import Final

FORWARDED: Final = "triggers-forwarded-from"
"""Header of a forwarded record. Its value is the number of the partition from which it was forwarded."""
REDRIVES: Final = "triggers-redrives"
"""Header with the number of times that the record was redriven."""
OWN_HEADERS: Final = frozenset({FORWARDED, REDRIVES})
