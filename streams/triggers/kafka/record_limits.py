"""The maximum record size of each topic in bytes, which includes key, value, headers and Kafka's framing."""

from __future__ import annotations

from triggers.settings import Settings

_KAFKA_DEFAULT = 1_048_588
_ROOM = 131_072
"""Allowance for key, headers, names and a traceback besides the payload."""
_MERGED = 4
"""A command contains the kwargs of several triggers, and a row of the changelog several configurations."""


def event_bytes(settings: Settings) -> int:
    """Returns the limit of `<ns>.events`: one payload of the maximum size, and the allowance."""
    return max(_KAFKA_DEFAULT, settings.max_payload_bytes + _ROOM)


def derived_bytes(settings: Settings) -> int:
    """Returns the limit of `<ns>.commands` and of the changelog."""
    return _MERGED * event_bytes(settings)


def dead_letter_bytes(settings: Settings) -> int:
    """Returns the limit of `<ns>.dead-letters`: the largest record of any other topic, and the allowance."""
    return derived_bytes(settings) + _ROOM
