"""Encodes and decodes the commands of `<ns>.commands`."""

from __future__ import annotations

from typing import Final

from triggers.codec.avro_records import MARKER, records_of
from triggers.codec.hot_records import write_command
from triggers.codec.reasons import Reason
from triggers.core.commands import RunTask
from triggers.errors import Undecodable

_COMMANDS: Final = records_of("task_command")
_HEAD: Final = MARKER + _COMMANDS.fingerprint


def encode_command(command: RunTask) -> bytes:
    """Encodes a command in Avro single-object encoding."""
    return write_command(command, _HEAD)


def decode_command(value: bytes | None) -> RunTask:
    """Decodes a command. Raises Undecodable."""
    if not value:
        raise Undecodable(Reason.EMPTY_VALUE)
    if value[:2] != MARKER:
        raise Undecodable(Reason.UNKNOWN_FORMAT, f"a command must be single-object Avro; it starts with {value[:8]!r}")
    return RunTask(**_COMMANDS.decode(value))
