"""What a consumer says about its membership, in the opaque bytes that a transaction passes on to the broker."""

from __future__ import annotations

import struct
from typing import Final

_MAGIC: Final = b"CGMDv2:"
_GENERATION: Final = struct.Struct("=i")


class UnknownMetadata(Exception):
    """This version of librdkafka writes the metadata in another way."""


def generation_of(metadata: bytes) -> int:
    """The group's generation in `Consumer.consumer_group_metadata()`; negative: the consumer is no member.

    There is no other way to ask for it. Raises UnknownMetadata.
    """
    if not metadata.startswith(_MAGIC) or len(metadata) < len(_MAGIC) + _GENERATION.size:
        raise UnknownMetadata(f"the group metadata of librdkafka begins with {metadata[:11]!r}, not with {_MAGIC!r}")
    (generation,) = _GENERATION.unpack_from(metadata, len(_MAGIC))
    return int(generation)
