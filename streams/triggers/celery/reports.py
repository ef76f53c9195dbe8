"""`Report`: an encoded result on its way from the process that runs a task to the one that publishes it.

A command from Kafka runs while its reports are kept. They go to the worker's main process together with the outcome of
the run, so a pool child needs no connection to Kafka. Whatever runs otherwise publishes its reports itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from triggers.codec import encode_event
from triggers.codec.event_shapes import wire_name
from triggers.core.events import Event
from triggers.core.trace_context import TraceContext
from triggers.errors import TooLarge
from triggers.results.result_events import CommandName, failed_event

_SOURCE: Final = "celery"
_SMALL_BYTES: Final = 1000


class Report(NamedTuple):
    """An encoded event about an attempt. It consists of plain values, so that every process can unpickle it."""

    session: str
    instance: str
    attempt: int
    kind: str
    """The event's name on the wire, such as `finished`."""
    value: bytes
    trace: TraceContext | None

    @property
    def command(self) -> CommandName:
        """The command that the event is about."""
        return CommandName(session=self.session, instance=self.instance, attempt=self.attempt)


def encode_report(name: CommandName, event: Event) -> Report:
    """Encodes an event about a command."""
    value = encode_event(event, source=_SOURCE)
    return Report(name.session, name.instance, name.attempt, wire_name(type(event)), value, event.trace)


def failure_of(report: Report, error: TooLarge) -> Report:
    """Returns the failure that is published instead of an event that is too large for its topic."""
    failed = failed_event(report.command, error, max_payload_bytes=_SMALL_BYTES)
    return encode_report(report.command, failed)._replace(trace=report.trace)


class _Kept(threading.local):
    """The reports of the run of this thread."""

    reports: list[Report] | None = None


_kept = _Kept()


def kept_reports() -> list[Report] | None:
    """Returns the list to which this thread adds its reports, or None if it publishes them itself."""
    return _kept.reports


@contextmanager
def keep_reports() -> Iterator[list[Report]]:
    """Keeps the reports that this thread makes inside of the block, in order, instead of publishing them."""
    outer, reports = _kept.reports, list[Report]()
    _kept.reports = reports
    try:
        yield reports
    finally:
        _kept.reports = outer
