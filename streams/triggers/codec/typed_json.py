"""Decodes JSON into classes, also in several threads at once."""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_decoders: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}
_lock: Final = threading.Lock()


def decode_typed(text: bytes | str, kind: type[T]) -> T:
    """Returns the object of this class that the text describes. Raises msgspec.DecodeError and UnicodeDecodeError.

    The first use of a class prepares its decoder, which one thread does alone: msgspec 0.22 makes a class known before
    it has filled in the types of its fields, and another thread that decodes into it meanwhile ends the process
    (SIGSEGV). So no code that several threads may run calls `msgspec.json.decode` with `type`.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        with _lock:
            decoder = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    decoded: T = decoder.decode(text)
    return decoded
