"""What a restore makes of the messages that it consumes. Every row passes here: the loops run in C."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import cast

from confluent_kafka import KafkaError, Message

from triggers.core.state.rows import Changes
from triggers.kafka.consumer_events import stop_unless_transient
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF
from triggers.process.exits import ExitCode, Stop


def sorted_out(messages: list[Message]) -> tuple[dict[int, list[Message]], dict[int, int]]:
    """Rows by partition, in their order, and partition -> position at which its reader has come to the end.

    Raises Stop for an error that does not pass.
    """
    ends: dict[int, int] = {}
    if any(map(Message.error, messages)):
        for message in messages:
            if (error := message.error()) is not None:
                _note(error, message, ends)
        messages = [message for message in messages if message.error() is None]
    rows: defaultdict[int, list[Message]] = defaultdict(list)
    for partition, run in groupby(messages, Message.partition):
        rows[partition or 0].extend(run)
    return rows, ends


def offsets_of(messages: list[Message]) -> list[int]:
    """Their offsets, which every consumed message has."""
    return cast("list[int]", list(map(Message.offset, messages)))


def rows_of(messages: list[Message]) -> Changes:
    """The last value of each key, which every row has; None deletes."""
    return cast("Changes", dict(zip(map(Message.key, messages), map(Message.value, messages), strict=True)))


def _note(error: KafkaError, message: Message, ends: dict[int, int]) -> None:
    if error.code() == PARTITION_EOF:
        ends[message.partition() or 0] = message.offset() or 0
    elif error.code() in NO_SUCH_OFFSET:  # the worker that starts again finds out what is there
        raise Stop(ExitCode.BROKER, f"restoring: the changelog was cut meanwhile: {error.str()}")
    else:
        stop_unless_transient(message, error)
