"""The two Avro records of the hot path, read and written by hand: a trigger that fired, a command.

fastavro goes by way of a stream and a dict: an event took 7.6 µs with its checks and takes 2.8 now, a command 5.5 and
1.8. Everything else, and every record that is not as expected, takes the general way.
"""

from __future__ import annotations

from typing import Final, cast

from msgspec.structs import astuple

from triggers.core.commands import RunTask
from triggers.core.memo import remember

_Fields = tuple[str, str, int, str, bytes, str | None, int, int]
"""Those of a `RunTask`, in their order: all at once they cost what two do one by one."""

_MORE: Final = 0x80
"""Set in every byte of a number but the last."""
_LONGEST: Final = 63
_TRIGGER_FIRED: Final = 0
"""Its place in the union of events."""


def read_fire(data: bytes, start: int) -> tuple[str, int, str, bytes] | None:
    """Id, time, trigger and kwargs of a `TriggerFired` of the current schema; None for anything else, or if in doubt.

    Lengths that need two bytes are taken for the kwargs only: longer names, and a negative number, are in doubt.
    """
    try:
        end = start + 1 + (data[start] >> 1)
        doubts = data[start]
        event_id = data[start + 1 : end]
        time, at = _read_long(data, end)
        doubts |= data[at]
        at += 1 + (data[at] >> 1)  # source
        end = at + 2 + (data[at + 1] >> 1)
        if (doubts | data[at + 1]) & 0x81 or data[at] != 2 * _TRIGGER_FIRED:
            return None
        size, at_kwargs = _read_long(data, end)
        if size < 0 or at_kwargs + size != len(data):
            return None
        return event_id.decode(), time, data[at + 2 : end].decode(), data[at_kwargs:]
    except (IndexError, UnicodeDecodeError):
        return None


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    """The number at that place and the place after it. Raises IndexError, for one of more than 63 bits too."""
    byte = data[at]
    number, shift, at = byte & 0x7F, 7, at + 1
    while byte & _MORE:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
    if shift > _LONGEST:
        raise IndexError(at)
    return (number >> 1) ^ -(number & 1), at


def write_command(command: RunTask, head: bytes) -> bytes:
    """The command's record after the head. Raises UnicodeEncodeError, OverflowError."""
    uid, name, attempt, task, kwargs, using, depth, time = cast("_Fields", astuple(command))
    session, instance, run = uid.encode(), name.encode(), task.encode()
    return b"".join(
        (
            head,
            _long(len(session)),
            session,
            _long(len(instance)),
            instance,
            _long(attempt),
            _long(len(run)),
            run,
            _long(len(kwargs)),
            kwargs,
            b"\0" if using is None else _some(using.encode()),
            _long(depth),
            _long(time),
        )
    )


def _some(text: bytes) -> bytes:
    return b"\x02" + _long(len(text)) + text


def _long(number: int) -> bytes:
    """Avro's variable-length zig-zag number."""
    if 0 <= number < _SMALL_ONES:
        return _SMALL[number]
    found = _large.get(number)
    return remember(_large, _MOST_LARGE, number, _digits(number)) if found is None else found


def _digits(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    digits = bytearray()
    while zigzag >= _MORE:
        digits.append(zigzag & 0x7F | _MORE)
        zigzag >>= 7
    digits.append(zigzag)
    return bytes(digits)


_SMALL_ONES: Final = 1024
_SMALL: Final = [_digits(number) for number in range(_SMALL_ONES)]
"""Lengths, attempts and depths, as they are written."""
_MOST_LARGE: Final = 8192
_large: Final[dict[int, bytes]] = {}
"""Times, which repeat."""
