"""Encodes and decodes the records of the topics of commands: commands, and cancellations of commands."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.codec.avro_records import MARKER, avro_codec
from triggers.codec.hot_records import write_command
from triggers.codec.reasons import Reason
from triggers.core.commands import CancelTask, RunTask
from triggers.errors import Undecodable

_COMMANDS: Final = avro_codec("task_command")
_CANCELLATIONS: Final = avro_codec("task_cancellation")
_HEAD: Final = MARKER + _COMMANDS.fingerprint
_CANCELLATION_HEAD: Final = MARKER + _CANCELLATIONS.fingerprint


def encode_command(command: RunTask) -> bytes:
    """Encodes a command in Avro single-object encoding."""
    return write_command(command, _HEAD)


def decode_command(value: bytes | None) -> RunTask:
    """Decodes a command that runs a task. Raises Undecodable, also for a cancellation."""
    return RunTask(**_COMMANDS.decode(_single_object(value)))


def encode_cancellation(cancellation: CancelTask) -> bytes:
    """Encodes the cancellation of an attempt in Avro single-object encoding."""
    return _CANCELLATIONS.encode(msgspec.structs.asdict(cancellation))


def decode_command_or_cancellation(value: bytes | None) -> RunTask | CancelTask:
    """Decodes any record of a topic of commands. Raises Undecodable."""
    data = _single_object(value)
    if data.startswith(_CANCELLATION_HEAD):
        return CancelTask(**_CANCELLATIONS.decode(data))
    return RunTask(**_COMMANDS.decode(data))


def _single_object(value: bytes | None) -> bytes:
    if not value:
        raise Undecodable(Reason.EMPTY_VALUE)
    if value[:2] != MARKER:
        raise Undecodable(Reason.UNKNOWN_FORMAT, f"a command must be single-object Avro; it starts with {value[:8]!r}")
    return value
