"""Looks for one key in a map in MessagePack, as a search does in the header of each session."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

_REMEMBERED: Final = 64

_decode_map: Final = msgspec.msgpack.Decoder(dict[str, Raw]).decode


class _Entry(Struct):
    value: Raw | UnsetType = UNSET


@lru_cache(maxsize=_REMEMBERED)
def key_finder(key: str) -> Callable[[Raw], bool]:
    """Returns a function that says whether a map has this key.

    It decodes the map as a struct whose only field has the key as its name, because msgspec then skips all other
    entries. That takes a third of the time that a dictionary takes, and less if the map is large.
    """
    try:
        entry = msgspec.defstruct("Entry", [("value", Raw | UnsetType, UNSET)], rename={"value": key}, gc=False)
    except ValueError:  # the names of fields must not have quotes, backslashes and control characters
        return lambda encoded: key in _decode_map(encoded)
    decode = cast("Callable[[Raw], _Entry]", msgspec.msgpack.Decoder(entry).decode)
    return lambda encoded: decode(encoded).value is not UNSET
