"""Reads and writes headers, and rows of latest kwargs. Those of versions 3 and 4 are converted as they are read."""

from __future__ import annotations

from typing import Any, Final, cast, get_args

import msgspec

from triggers.core.state.fire_spans import FireSpans
from triggers.core.state.header import Header
from triggers.core.state.header_parts import Edition2Part, RuleBinding, TaskState
from triggers.core.state.latest import (
    UNKNOWN_FIRE,
    Stamp,
    is_record,
    record_of_instance,
    record_of_kwargs,
    record_of_row,
)

_OLDEST: Final = 3
"""The oldest version that is read. Before version 5, latest kwargs have other forms and do not say when they came."""
_CLOCK_AT: Final = 21
"""Index of `clock`, which version 3 lacks."""
_LATEST_AT: Final = 4
"""Index of `latest` among the values of a header."""

_Fields = tuple[
    int,
    bytes,
    dict[str, TaskState],
    bool,
    dict[str, bytes],
    bool,
    int,
    int,
    int,
    int,
    int,
    int,
    list[int],
    int,
    bytes,
    int,
    int,
    int,
    bool,
    bool,
    int,
    int,
    Edition2Part | None,
    RuleBinding | None,
]
"""The elements of a stored header: its version, and the fields of a `Header` in their order. New ones go to the end."""

VERSION: Final = 5
_FIELDS: Final = len(get_args(_Fields))
_decode: Final = msgspec.msgpack.Decoder(_Fields).decode
_decode_with_spans: Final = msgspec.msgpack.Decoder(tuple.__class_getitem__((*get_args(_Fields), msgspec.Raw))).decode
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_values: Final = msgspec.msgpack.Decoder(list[Any]).decode
_decode_any: Final = msgspec.msgpack.Decoder().decode


_WITHOUT_SPANS: Final = _FIELDS.to_bytes(2)
_WITH_SPANS: Final = (_FIELDS + 1).to_bytes(2)
_ARRAY_HEAD: Final = 3
"""Bytes before the first field of a header: the mark of an array and the number of its elements."""


class UnknownVersion(Exception):
    """A header is of a version that this release does not read."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version}; this release reads {_OLDEST} to {VERSION}")


def is_of_earlier_version(row: bytes) -> bool:
    """Returns whether a stored header is of an earlier version."""
    return row[_ARRAY_HEAD] < VERSION


def decode_header(row: bytes) -> Header:
    """Decodes a header of this version or of an earlier one. Raises UnknownVersion for any other."""
    if row[_ARRAY_HEAD] == VERSION:
        return _header_of(row)
    values = _decode_values(row)
    version: int = values[0]
    if not _OLDEST <= version < VERSION:
        raise UnknownVersion(version)
    return _convert(values)


def _header_of(row: bytes) -> Header:
    (
        _, configuration, tasks, tasks_spilled, latest, latest_spilled, payloads, instances, unresolved,
        created, modified, events, tail, chunks, ids, id_chunks, last, wake, deleted, sweeping, past_attempts,
        clock, edition_2, published,
    ) = _read_fields(row)  # fmt: skip
    return Header(
        configuration=configuration,
        tasks=tasks,
        tasks_spilled=tasks_spilled,
        latest=latest,
        latest_spilled=latest_spilled,
        payloads=payloads,
        instances=instances,
        unresolved=unresolved,
        created=created,
        modified=modified,
        events=events,
        tail=tail,
        chunks=chunks,
        ids=ids,
        id_chunks=id_chunks,
        last=last,
        wake=wake,
        deleted=deleted,
        sweeping=sweeping,
        past_attempts=past_attempts,
        clock=clock,
        edition_2=edition_2,
        published=published,
    )


def _read_fields(row: bytes) -> _Fields:
    count = row[1:_ARRAY_HEAD]
    if count == _WITHOUT_SPANS:
        return cast("_Fields", _decode(row))
    if count == _WITH_SPANS:
        return cast("_Fields", _decode_with_spans(row)[:_FIELDS])
    return cast("_Fields", _decode(_encode(_decode_values(row)[:_FIELDS])))


def encode_header(header: Header) -> bytes:
    """Encodes the row of a header, in this version."""
    return _encode(
        (
            VERSION,
            header.configuration,
            header.tasks,
            header.tasks_spilled,
            header.latest,
            header.latest_spilled,
            header.payloads,
            header.instances,
            header.unresolved,
            header.created,
            header.modified,
            header.events,
            header.tail,
            header.chunks,
            header.ids,
            header.id_chunks,
            header.last,
            header.wake,
            header.deleted,
            header.sweeping,
            header.past_attempts,
            header.clock,
            header.edition_2,
            header.published,
        )
    )


def _convert(values: list[Any]) -> Header:
    """Converts the values of a header of an earlier version.

    All its triggers count as fired by the latest event, in the order of the header, unless it says more.
    """
    if len(values) == _CLOCK_AT:
        values += [0, None, None]
    clock, latest = values[_CLOCK_AT], values[_LATEST_AT]
    values[0], values[_LATEST_AT] = VERSION, {}
    header = _header_of(_encode(values))
    for order, (trigger, stored) in enumerate(latest.items(), 1):
        header.latest[trigger] = _converted(stored, (clock, order, 0))
    return header


def decode_latest(row: bytes) -> bytes:
    """Decodes a row with a record of latest kwargs, which says nothing about its version. The forms of earlier versions
    differ from all of this version's.
    """
    stored = _decode_any(row)
    if isinstance(stored, bytes) and is_record(stored):
        return stored
    return _converted(stored, UNKNOWN_FIRE)


def _converted(stored: Any, stamp: Stamp) -> bytes:  # noqa: ANN401  # what msgpack decodes
    """Returns the record of latest kwargs of an earlier version.

    They were: kwargs; the number of a row; a negative number or [0, number] for a row to which no instance refers;
    [task, number] or [1, task, number] for an instance.
    """
    if isinstance(stored, bytes):
        return record_of_kwargs(stamp, stored)
    if isinstance(stored, int):
        return record_of_row(stamp, abs(stored), shared=stored >= 0)
    *_, task_or_kind, number = stored
    if isinstance(task_or_kind, str):
        return record_of_instance(stamp, task_or_kind, number)
    return record_of_row(stamp, number, shared=False)


def add_spans_to_header(row: bytes, spans: FireSpans) -> bytes:
    """Returns an encoded header with the spans of the session's fires after its fields.

    They are no field, because every other session would pay for that. Releases that do not know them ignore them.
    """
    return row[:1] + _WITH_SPANS + row[_ARRAY_HEAD:] + _encode(spans)


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
