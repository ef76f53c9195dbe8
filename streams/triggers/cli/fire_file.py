"""Publishes a recorded log: one JSON object per line, in the order of the file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TimeElapsedColumn

from triggers.analysis.input_file import BadInput, InputFile
from triggers.cli.output import print_json
from triggers.client import KafkaPublisher
from triggers.codec import check_event
from triggers.codec.event_lines import decode_line
from triggers.core.config import validate_configuration
from triggers.core.events import ConfigurationUpdated, Event, RulesPublished
from triggers.errors import BrokerUnavailable, CallError, TriggersError, TryAgain, Undecodable
from triggers.settings import Settings


class BadLine(CallError):
    """A line of the file is not an event."""


def fire_file(settings: Settings, file: InputFile, rules: bytes | None, start_line: int, as_json: bool) -> None:
    """Publish the lines from `start_line` on. Blocks until the broker has acknowledged all of them.

    Raises BadLine if a line is not an event: all lines before it are published, and none from it on. Raises
    BrokerUnavailable with the line to resume from: all lines before it are published, and some later ones may be.
    """
    if rules is not None:
        validate_configuration(rules)
    publisher, reading = KafkaPublisher(settings), _Reading(file, rules, start_line, settings)
    started = time.monotonic()
    with Progress(*_COLUMNS, console=Console(stderr=True)) as progress:
        bar = progress.add_task(file.name, total=file.size)
        _publish(publisher, reading, lambda: progress.update(bar, completed=file.bytes_read))
        progress.update(bar, completed=file.size)
    if reading.bad is not None:
        raise reading.bad
    _report(reading, time.monotonic() - started, as_json)


def _publish(publisher: KafkaPublisher, reading: _Reading, on_progress: Callable[[], None]) -> None:
    try:
        for number, _ in enumerate(publisher.publish_many(reading.events()), 1):
            reading.acknowledge_oldest()
            if number % _PRINT_EVERY == 0:
                on_progress()
        publisher.close()
    except TryAgain as error:
        raise BrokerUnavailable(f"{error}. {reading.resume_advice()}") from error


_PRINT_EVERY = 500
_COLUMNS = ("{task.description}", BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeElapsedColumn())


class _Reading:
    """Reads events from the file and counts which of them are acknowledged.

    A bad line ends the iteration without an exception, so that the events before it are still published.
    """

    def __init__(self, file: InputFile, rules: bytes | None, start_line: int, settings: Settings) -> None:
        self._file = file
        self._rules = rules
        self._start_line = start_line
        self._limit = settings.max_payload_bytes
        self._sessions: set[str] = set()
        self._unacknowledged: deque[int] = deque()
        """Line number of each event that is not acknowledged yet, in order."""
        self.bad: BadLine | None = None
        self.triggers = 0

    @property
    def sessions(self) -> int:
        """The number of different sessions so far."""
        return len(self._sessions)

    def acknowledge_oldest(self) -> None:
        """Record that the oldest event in flight is acknowledged."""
        self._unacknowledged.popleft()

    def resume_advice(self) -> str:
        """Return the advice for resuming after the broker has failed."""
        first = self._unacknowledged[0] if self._unacknowledged else self._start_line
        return f"Every line before {first} is acknowledged; resume with --start-line {first}"

    def events(self) -> Iterator[tuple[str, Event]]:
        """Yield session and event of each line. A session's configuration comes before its first trigger."""
        for number, line in self._lines():
            if number < self._start_line or not line.strip():
                continue
            try:
                events = self._event(line)
            except (TriggersError, msgspec.DecodeError, UnicodeDecodeError) as error:
                self.bad = self._refuse(number, error)
                return
            self._unacknowledged.extend([number] * len(events))
            yield from events

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and text of each line. A damaged file ends the iteration and sets `bad`."""
        number = 0
        try:
            for number, line in enumerate(self._file.lines(), 1):
                yield number, line
        except BadInput as error:
            self.bad = self._refuse(number + 1, error)

    def _event(self, line: bytes) -> list[tuple[str, Event]]:
        session, event = decode_line(line, 0)
        if isinstance(event, RulesPublished):
            return []  # they belong on every partition: `triggers rules publish` puts them there
        check_event(event, self._limit)
        events: list[tuple[str, Event]] = [(session, event)]
        if self._rules is not None and session not in self._sessions and not isinstance(event, ConfigurationUpdated):
            configured = ConfigurationUpdated(configuration=self._rules, if_absent=True, time=event.time)
            events.insert(0, (session, configured))
        self._sessions.add(session)
        self.triggers += 1
        return events

    def _refuse(self, number: int, error: Exception) -> BadLine:
        why = f"{error.reason}: {error.detail}" if isinstance(error, Undecodable) else str(error)
        return BadLine(
            f"{self._file.name}, line {number}: {why}. The {self.triggers} events before this line are published;"
            f" correct the line and resume with --start-line {number}"
        )


def _report(reading: _Reading, seconds: float, as_json: bool) -> None:
    rate = reading.triggers / max(seconds, 1e-9)
    if as_json:
        counts = {"triggers": reading.triggers, "sessions": reading.sessions, "seconds": round(seconds, 3)}
        print_json(counts | {"triggers_per_s": round(rate)})
        return
    text = f"Fired {reading.triggers} triggers in {reading.sessions} sessions"
    click.echo(f"{text} ({seconds:.1f} s, {rate:,.0f} per second); all are acknowledged.")
