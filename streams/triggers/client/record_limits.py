"""How large a record of each topic may be: key, value, headers and Kafka's own framing."""

from __future__ import annotations

from triggers.settings import Settings

_KAFKA_DEFAULT = 1_048_588
_ROOM = 131_072
"""For key, headers, names and a traceback beside the payload."""
_MERGED = 4
"""A command holds the kwargs of several triggers, a row of the changelog several configurations."""


def event_bytes(settings: Settings) -> int:
    """Of `<ns>.events`: one payload of the largest size, and room."""
    return max(_KAFKA_DEFAULT, settings.max_payload_bytes + _ROOM)


def derived_bytes(settings: Settings) -> int:
    """Of `<ns>.commands` and the changelog."""
    return _MERGED * event_bytes(settings)


def dead_letter_bytes(settings: Settings) -> int:
    """Of `<ns>.dead-letters`: the largest record of any other topic, and room for the reason."""
    return derived_bytes(settings) + _ROOM
