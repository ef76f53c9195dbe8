"""The latest kwargs of a trigger, with the stamp of their fire, as a session stores them: one record of bytes.

    [kind, kwargs, stamp]          the kwargs themselves, if they are small
    [kind, row, stamp]             the number of their payload row
    [kind, task, number, stamp]    an instance that stores them in its own row

Records are MessagePack. Every event of a session writes the records of all its hot triggers, but looks into only a few
of them, so each is decoded when it is needed. The kind and small kwargs, which are needed most often, are cut out.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from triggers.core.contribution import Contribution

IN_RECORD: Final = 0
"""The record contains the kwargs."""
SHARED: Final = 1
"""The kwargs are in a payload row to which an instance refers as well."""
UNSHARED: Final = 2
"""The kwargs are in a payload row to which no instance refers. The trigger's next kwargs may overwrite it."""
HELD: Final = 3
"""An instance stores the kwargs in its own row."""
KIND_AT: Final = 1
"""Index of the kind among the bytes of a record."""

Stamp = tuple[int | str | None, ...]
"""What is known of a fire: the session's clock, its order among the fires of the session, the time of its event if that
is not the clock, and the id and the source of its event if it has one."""

UNKNOWN_FIRE: Final[Stamp] = (0, 0)
"""The stamp of a fire of which nothing is known."""

_HEADS: Final = frozenset({b"\x93", b"\x94"})
"""The first bytes of records: those of arrays of 3 and 4 elements."""
_BIN_8: Final = 0xC4
"""MessagePack's mark of a byte string of up to 255 bytes. Its length is the next byte."""

encode_record: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Any]).decode


def order_in_edition_1(position: int) -> int:
    """Returns the order of a fire in edition 1, in which an event fires only one trigger. It is never 0."""
    return position + 1


def make_stamp(clock: int, order: int, time: int, event_id: str | None, source: str | None) -> Stamp:
    """Returns the stamp of a fire."""
    if event_id is None and source is None:
        return (clock, order) if time == clock else (clock, order, time)
    return clock, order, time, event_id, source


def is_record(stored: bytes) -> bool:
    """Returns whether bytes are a record. Kwargs, which are JSON, begin in another way."""
    return stored[:1] in _HEADS


def record_of_kwargs(stamp: Stamp, kwargs: bytes) -> bytes:
    """Returns a record that contains the kwargs."""
    return encode_record((IN_RECORD, kwargs, stamp))


def record_of_row(stamp: Stamp, row: int, *, shared: bool) -> bytes:
    """Returns the record of kwargs in a payload row."""
    return encode_record((SHARED if shared else UNSHARED, row, stamp))


def record_of_instance(stamp: Stamp, task: str, number: int) -> bytes:
    """Returns the record of kwargs that an instance stores."""
    return encode_record((HELD, task, number, stamp))


def kwargs_of(record: bytes) -> bytes:
    """Returns the kwargs that a record contains."""
    if record[2] == _BIN_8:
        return record[4 : 4 + record[3]]
    kwargs: bytes = _decode(record)[1]
    return kwargs


def row_of(record: bytes) -> int:
    """Returns the number of the payload row to which a record refers."""
    row: int = _decode(record)[1]
    return row


def holder_of(record: bytes) -> tuple[str, int]:
    """Returns the task and number of the instance that stores the kwargs."""
    values = _decode(record)
    task: str = values[1]
    number: int = values[2]
    return task, number


def stamp_of(record: bytes) -> Stamp:
    """Returns the stamp of a record."""
    return tuple(_decode(record)[-1])


def held_fire(record: bytes) -> tuple[int, int]:
    """Returns the clock and order of a record."""
    stamp = _decode(record)[-1]
    return stamp[0], stamp[1]


def restamped(record: bytes, stamp: Stamp) -> bytes:
    """Returns the record with another stamp."""
    return encode_record((*_decode(record)[:-1], stamp))


def contribution_of(record: bytes, kwargs: bytes) -> Contribution:
    """Returns the fire of a record as a contribution; `kwargs` are those to which the record refers."""
    clock, order, *rest = _decode(record)[-1]
    time = rest[0] if rest else clock
    event_id, source = rest[1:] or (None, None)
    return Contribution(kwargs, clock, order, b"", time, event_id, source)
