"""Reads the generation from a consumer's group metadata, the opaque bytes that a transaction sends to the broker."""

from __future__ import annotations

import struct
from typing import Final

_MAGIC: Final = b"CGMDv2:"
_GENERATION: Final = struct.Struct("=i")


class UnknownMetadata(Exception):
    """This version of librdkafka encodes the metadata in another format."""


def generation_of(metadata: bytes) -> int:
    """Returns the group's generation from `Consumer.consumer_group_metadata()`. It is negative without a membership.

    confluent-kafka has no other way to read it. Raises UnknownMetadata.
    """
    if not metadata.startswith(_MAGIC) or len(metadata) < len(_MAGIC) + _GENERATION.size:
        raise UnknownMetadata(f"the group metadata of librdkafka begins with {metadata[:11]!r}, not with {_MAGIC!r}")
    (generation,) = _GENERATION.unpack_from(metadata, len(_MAGIC))
    return int(generation)
