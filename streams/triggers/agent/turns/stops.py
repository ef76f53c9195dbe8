"""The errors that end the worker: an event that was applied before, and a bug of the core.

Offsets and rows are committed together, so an event at or after the committed offset comes after all applied events of
its session. That is not so if somebody sets the group's offset back, or if the topics are copies with other offsets.
"""

from __future__ import annotations

from typing import Final

from triggers.core.state.session import Session
from triggers.kafka.records import Record, or_minus_one
from triggers.process.exits import ExitCode, Stop

_APPLIED: Final = (
    "the event at offset {offset} of {topic}/{partition} was applied before: session {uid!r} has one from offset {last}"
    " already. The group's offset was set back, or the rows belong to another log, because the topics were mirrored,"
    " which changes offsets, or recreated. Set the group's offset to the one after the last applied event, or use"
    " `triggers copy`"
)


def check_not_applied(session: Session, record: Record) -> None:
    """Raises Stop if an event at the record's offset or a later one was applied to the session, which was just loaded.

    A session whose latest positions have just moved into a row is not checked; that is one load in 32.
    """
    tail = session.header.tail
    if tail and tail[-1] >= or_minus_one(record.offset()):
        text = _APPLIED.format(
            offset=record.offset(), topic=record.topic(), partition=record.partition(), uid=session.uid, last=tail[-1]
        )
        raise Stop(ExitCode.MISFIT, text)


def stop_for_bug(record: Record, error: Exception) -> Stop:
    """Returns the error that ends the worker because the core raised something that it never should."""
    coordinates = f"{record.topic()} partition {record.partition()} offset {record.offset()}"
    return Stop(ExitCode.ENGINE_BUG, f"{coordinates}: {type(error).__name__}: {error}")
