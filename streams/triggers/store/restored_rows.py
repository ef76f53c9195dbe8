"""Turns the messages that a restore consumes into rows. The loops run in C because they are executed for every row."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import cast

from confluent_kafka import KafkaError, Message

from triggers.core.state.rows import Changes
from triggers.kafka.consumer_errors import stop_unless_transient
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF
from triggers.process.exits import ExitCode, Stop


def split_messages(messages: list[Message]) -> tuple[dict[int, list[Message]], dict[int, int]]:
    """Returns the rows by partition, in order, and the end position of each partition whose end was reached.

    Raises Stop for an error that is not temporary.
    """
    ends: dict[int, int] = {}
    if any(map(Message.error, messages)):
        for message in messages:
            if (error := message.error()) is not None:
                _handle_error(error, message, ends)
        messages = [message for message in messages if message.error() is None]
    rows: defaultdict[int, list[Message]] = defaultdict(list)
    for partition, run in groupby(messages, Message.partition):
        rows[partition or 0].extend(run)
    return rows, ends


def offsets_of(messages: list[Message]) -> list[int]:
    """Returns the messages' offsets, which are never None."""
    return cast("list[int]", list(map(Message.offset, messages)))


def last_rows(messages: list[Message]) -> Changes:
    """Returns the last value of each key. None deletes the row."""
    return cast("Changes", dict(zip(map(Message.key, messages), map(Message.value, messages), strict=True)))


def _handle_error(error: KafkaError, message: Message, ends: dict[int, int]) -> None:
    if error.code() == PARTITION_EOF:
        ends[message.partition() or 0] = message.offset() or 0
    elif error.code() in NO_SUCH_OFFSET:  # the restarted worker determines the new range
        raise Stop(ExitCode.BROKER, f"the changelog was truncated during a restore: {error.str()}")
    else:
        stop_unless_transient(message, error)
