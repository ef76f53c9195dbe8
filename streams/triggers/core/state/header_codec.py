"""Reads and writes headers, and rows of latest kwargs. Those of version 3 are converted as they are read."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from triggers.core.state.fire_spans import FireSpans
from triggers.core.state.header import VERSION, Header, HeldByInstance, Latest, UnsharedRow

_BEFORE_EDITION_2: Final = 3
"""The version whose headers lack only what edition 2 keeps, and write the latest kwargs without types."""
_LATEST_AT: Final = 4
"""Index of `latest` among the values of a header."""

encode_header: Final = msgspec.msgpack.Encoder().encode
_decode_header: Final = msgspec.msgpack.Decoder(Header).decode
_decode_latest: Final = msgspec.msgpack.Decoder(Latest).decode
_decode_values: Final = msgspec.msgpack.Decoder(list[Any]).decode
_decode_any: Final = msgspec.msgpack.Decoder().decode


_FIELDS: Final = len(Header.__struct_fields__)
_WITH_SPANS: Final = (_FIELDS + 1).to_bytes(2)
_ARRAY_HEAD: Final = 3
"""Bytes before the first field of a header: the mark of an array and the number of its elements."""


class UnknownVersion(Exception):
    """A header is of a version that this release does not read."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version}; this release reads {_BEFORE_EDITION_2} and {VERSION}")


def decode_header(row: bytes) -> Header:
    """Decodes a header of this version or of version 3. Raises UnknownVersion for any other."""
    try:
        header = _decode_header(row)
        version: int = header.version
        if version == VERSION:
            return header
    except msgspec.ValidationError:
        version = _decode_values(row)[0]
        if version == VERSION:
            raise
    if version != _BEFORE_EDITION_2:
        raise UnknownVersion(version)
    return _convert(_decode_values(row))


def _convert(values: list[Any]) -> Header:
    """Converts the values of a header of version 3."""
    latest: dict[str, Any] = values[_LATEST_AT]
    values[0], values[_LATEST_AT] = VERSION, {trigger: _typed(stored) for trigger, stored in latest.items()}
    return _decode_header(encode_header(values))


def decode_latest(row: bytes) -> Latest:
    """Decodes a row of latest kwargs, which says nothing about its version. The forms of version 3 differ from all of
    this version's.
    """
    try:
        latest: Latest = _decode_latest(row)
    except msgspec.ValidationError:
        latest = _decode_latest(encode_header(_typed(_decode_any(row))))
    return UnsharedRow(-latest) if isinstance(latest, int) and latest < 0 else latest


def _typed(stored: Any) -> Any:  # noqa: ANN401  # what msgpack decodes
    """Returns latest kwargs of version 3 in the form of this version: a negative number was a row that no instance
    refers to, and a pair of task and number was an instance.
    """
    if isinstance(stored, int) and stored < 0:
        return UnsharedRow(-stored)
    return HeldByInstance(*stored) if isinstance(stored, list) else stored


def add_spans_to_header(row: bytes, spans: FireSpans) -> bytes:
    """Returns an encoded header with the spans of the session's fires after its fields.

    They are no field, because every other session would pay for that. Releases that do not know them ignore them.
    """
    return row[:1] + _WITH_SPANS + row[_ARRAY_HEAD:] + encode_header(spans)


def read_spans(row: bytes | None) -> FireSpans:
    """Returns the spans of fires that are stored with a header."""
    if row is None or row[1:_ARRAY_HEAD] != _WITH_SPANS:
        return {}
    return msgspec.convert(_decode_values(row)[_FIELDS], FireSpans)


def read_header(uid: str, row: bytes | None) -> Header:
    """Returns the header in a session's row, or an empty one for None. Raises RuntimeError for an unknown version."""
    if row is None:
        return Header()
    try:
        return decode_header(row)
    except UnknownVersion as error:
        raise RuntimeError(f"session {uid!r} is stored in {error}") from error
