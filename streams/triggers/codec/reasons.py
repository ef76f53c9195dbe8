"""The reasons why a record cannot be decoded: the short, stable part of `Undecodable`, for metrics and filters."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

FORWARDED_TOO_OFTEN: Final = "forwarded too often"
"""Reason of a dead letter for a `$forward` that was not published. The event at its coordinates was applied."""


class Reason(StrEnum):
    """A reason. Its value is shown in `DeadLetter.reason` and as a label of metrics."""

    BAD_KEY = "bad key"
    """The key is missing, empty, too long or not UTF-8, so it names no session."""
    BAD_HEADERS = "bad headers"
    """A header's name is not UTF-8. The dead letter has none of the record's headers."""
    EMPTY_VALUE = "empty value"
    """The value is null (a tombstone) or has no bytes."""
    UNKNOWN_FORMAT = "unknown format"
    """The value is neither Avro, nor in Confluent framing, nor a CloudEvent, nor JSON."""
    UNKNOWN_SCHEMA = "unknown schema"
    """The value is Avro with a schema that this release, or the registry, does not have."""
    INCOMPATIBLE_SCHEMA = "incompatible schema"
    """The registry's schema cannot be read as a TriggerEvent."""
    NO_REGISTRY = "no schema registry"
    """The value is in Confluent framing, but no registry is configured."""
    BAD_AVRO = "bad avro"
    """The Avro record is truncated, too long, or does not match its schema."""
    BAD_JSON = "bad json"
    """The text is not JSON: wrong syntax, NaN, invalid UTF-8, a lone surrogate or a number out of range."""
    DUPLICATE_KEY = "duplicate key"
    """A JSON object has a key twice, and readers disagree about which value counts."""
    TOO_DEEP = "too deep"
    """The JSON is nested deeper than the limit."""
    NOT_AN_OBJECT = "not an object"
    """A payload, or the whole event, is JSON but not an object."""
    UNKNOWN_EVENT = "unknown event"
    """The `type` in JSON is not the type of an event."""
    UNKNOWN_FIELD = "unknown field"
    """The JSON has a field that its event does not have. It is probably misspelt."""
    WRONG_SHAPE = "wrong shape"
    """A field is missing or has the wrong type."""
    OUT_OF_RANGE = "out of range"
    """A time, a number or the length of a name is beyond its limit."""
    BAD_CLOUDEVENT = "bad cloudevent"
    """A CloudEvent lacks a required attribute or has another version."""
    CONTENT_TYPE = "content type"
    """The data of a CloudEvent is not JSON."""
    TOO_LARGE = "payload too large"
    """A payload is larger than `max_payload_bytes`."""
