"""Reads and writes the rows of instances, whose stored form is a struct."""

from __future__ import annotations

from typing import Final, cast

import msgspec
from msgspec.structs import astuple

from triggers.core.contribution import Contribution
from triggers.core.state.instance import Instance, Payload
from triggers.core.state.stored_instance import StoredInstance, decode_stored_instance

_Fields = tuple[
    int,
    int,
    str,
    dict[str, Payload],
    list[str],
    int,
    bool,
    bytes,
    int,
    dict[str, int],
    dict[str, bytes],
    Payload | None,
    int,
    int,
    int,
    int,
    int,
    dict[str, list[Contribution]] | None,
    dict[str, int] | None,
    int,
    str | None,
    bytes,
    list[int] | None,
]
"""The fields of a `StoredInstance` in their order. Reading all of them at once costs as much as reading two."""

_decode: Final = decode_stored_instance  # a final name is not looked up, which would take 130 instructions
_astuple: Final = astuple
_stored: Final = StoredInstance
_encode: Final = msgspec.msgpack.Encoder().encode


def decode_instance(row: bytes) -> Instance:
    """Decodes the row of an instance."""
    (
        sequence, created, status, kwargs, unless_seen, attempt, attempt_closed, configuration, modified, stamps,
        metadata, result, depth, parent, due, cascade_depth, deadline, held, timers, delayed_at, queue, spans,
        fired,
    ) = cast("_Fields", _astuple(_decode(row)))  # fmt: skip
    return Instance(
        sequence=sequence,
        created=created,
        status=status,
        kwargs=kwargs,
        unless_seen=unless_seen,
        attempt=attempt,
        attempt_closed=attempt_closed,
        configuration=configuration,
        modified=modified,
        stamps=stamps,
        metadata=metadata,
        result=result,
        depth=depth,
        parent=parent,
        due=due,
        cascade_depth=cascade_depth,
        deadline=deadline,
        held=held,
        timers=timers,
        delayed_at=delayed_at,
        queue=queue,
        spans=spans,
        fired=fired,
    )


def encode_instance(instance: Instance) -> bytes:
    """Encodes the row of an instance: a map of the fields that are not as in a new one."""
    return _encode(
        _stored(  # by position, because names take as long again
            instance.sequence,
            instance.created,
            instance.status,
            instance.kwargs,
            instance.unless_seen,
            instance.attempt,
            instance.attempt_closed,
            instance.configuration,
            instance.modified,
            instance.stamps,
            instance.metadata,
            instance.result,
            instance.depth,
            instance.parent,
            instance.due,
            instance.cascade_depth,
            instance.deadline,
            instance.held,
            instance.timers,
            instance.delayed_at,
            instance.queue,
            instance.spans,
            instance.fired,
        )
    )
