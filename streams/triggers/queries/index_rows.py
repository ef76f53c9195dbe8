"""The index of a partition: rows that say which instances are failed, and how many have which status.

    q<uid>\\0\\0i<task>\\0<n>   a failed instance; in the UID, each \\0 is followed by \\xff, so that rows sort by UID
    n<task>                  the number of instances by status, in all sessions of the partition
    v                        how far the index reaches, while sessions of an earlier release are added to it

The rows are derived from the rows of instances and are in the same transaction, so that a restore brings them back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from triggers.core.exception_view import view_exception
from triggers.core.instance_names import instance_name
from triggers.core.state.instance import Instance
from triggers.core.state.rows import HEADERS, Rows, instance_suffix, parse_instance_suffix
from triggers.queries.answers import FailedInstance

FAILURES: Final = b"q"
COUNTS: Final = b"n"
REACH: Final = b"v"
OTHERS: Final = "…"
"""Stands in the counts for an application's own statuses, if a task has very many."""
MAX_MESSAGE_CHARACTERS: Final = 500
_END: Final = b"\0\0"


class FailureRow(Struct, array_like=True, gc=False):
    """Why an instance is failed."""

    since: int
    exception: str
    message: str


class Reach(Struct, array_like=True, gc=False):
    """How far the index of a partition reaches."""

    version: int = 1
    until: bytes | None = None
    """UTF-8 of the last session whose instances are counted, in the order of UIDs. None if all of them are."""


encode_row: Final = msgspec.msgpack.Encoder().encode
decode_failure: Final = msgspec.msgpack.Decoder(FailureRow).decode
decode_counts: Final = msgspec.msgpack.Decoder(dict[str, int]).decode
decode_reach: Final = msgspec.msgpack.Decoder(Reach).decode


def failures_prefix(uid: bytes) -> bytes:
    """Returns how the keys of a session's failed instances begin; those of the sessions after it are greater."""
    return start_of_failures(uid) + _END


def start_of_failures(uid_prefix: bytes) -> bytes:
    """Returns how the keys of the failed instances of all sessions begin whose UIDs begin with this."""
    return FAILURES + uid_prefix.replace(b"\0", b"\0\xff")


def failure_key(uid: bytes, task: str, number: int) -> bytes:
    """Returns the key of a failed instance."""
    return failures_prefix(uid) + instance_suffix(task, number)


def parse_failure_key(key: bytes) -> tuple[bytes, str, int]:
    """Returns UID, task and number of a failed instance."""
    escaped, _, suffix = key[1:].partition(_END)
    task, number = parse_instance_suffix(suffix)
    return escaped.replace(b"\0\xff", b"\0"), task, number


def failure_of(instance: Instance) -> FailureRow:
    """Returns why an instance is failed, for its row."""
    exception = view_exception(instance.metadata)
    kind, message = ("", "") if exception is None else (exception.type, exception.message)
    since = instance.stamps.get(instance.status, instance.modified)
    return FailureRow(since, kind, message[:MAX_MESSAGE_CHARACTERS])


def view_failure(key: bytes, row: bytes) -> FailedInstance:
    """Returns the failed instance of a row."""
    _, task, number = parse_failure_key(key)
    failure = decode_failure(row)
    return FailedInstance(
        instance=instance_name(task, number),
        task=task,
        exception=failure.exception,
        message=failure.message,
        since=failure.since,
    )


def counts_key(task: str) -> bytes:
    """Returns the key of the counts of a task."""
    return COUNTS + task.encode()


def is_complete(rows: Rows) -> bool:
    """Returns whether the counts cover all sessions of the partition."""
    reach = rows.get(REACH)
    if reach is not None:
        return decode_reach(reach).until is None
    return next(iter(rows.scan(HEADERS)), None) is None


def read_counts(rows: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[str, dict[str, int]]]:
    """Yields task and counts by status of the rows with the prefix `COUNTS`."""
    for key, row in rows:
        yield key[len(COUNTS) :].decode(), decode_counts(row)
