"""What every consumer that promises something is told."""

from __future__ import annotations

from typing import Final

Options = dict[str, str | int | float | bool]

RELIABLE: Final[Options] = {"auto.offset.reset": "error", "check.crcs": True, "isolation.level": "read_committed"}
"""Such a consumer is told where to begin and must not choose a place by itself: what lies between would be skipped, or
come twice. A record whose checksum does not match is an error; librdkafka would deliver it as if it were right. What
belongs to no committed transaction does not exist."""
