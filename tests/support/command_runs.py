"""Runs commands, and the messages that they send to a memory:// broker, in this process by Celery's own requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from celery import Celery, current_app, signals
from celery.concurrency.solo import TaskPool
from celery.worker.request import Request
from confluent_kafka import Message

from triggers.celery import no_broker
from triggers.celery.batching_publisher import BatchingPublisher
from triggers.celery.celery_private import info_of
from triggers.celery.command_request import CommandRequest
from triggers.celery.command_source import CommandInHand, Delivery
from triggers.celery.ledger import Ledger
from triggers.celery.reports import Report
from triggers.celery.request_making import request_for
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.result_signals import ResultSignals
from triggers.codec import NO_LIMIT, EventDecoder
from triggers.core.commands import RunTask
from triggers.core.events import Event, TaskStarted, with_trace
from triggers.kafka.records import Header
from triggers.results.result_events import CommandName
from triggers.settings import Settings

_SIGNALS = (
    signals.before_task_publish,
    signals.task_prerun,
    signals.task_success,
    signals.task_failure,
    signals.task_internal_error,
    signals.task_retry,
    signals.task_postrun,
    signals.task_revoked,
    signals.task_unknown,
)


_decoder = EventDecoder(NO_LIMIT)


class RecordingPublisher(ResultPublisher):
    """Keeps events instead of publishing them."""

    def __init__(self, published: list[tuple[CommandName, Event]]) -> None:
        super().__init__(Settings())
        self.published = published

    def publish(self, name: CommandName, event: Event) -> None:
        self.published.append((name, event))

    def send_unacknowledged(self, name: CommandName, event: Event) -> None:
        self.published.append((name, event))


class RecordingResults(BatchingPublisher):
    """Keeps the reports of the worker's main process, decoded, and calls them delivered."""

    def __init__(self, published: list[tuple[CommandName, Event]]) -> None:
        super().__init__(Settings(), lambda: None)
        self.published = published

    def announce_start(self, started: Report) -> None:
        self._keep(started)

    def publish(self, reports: Sequence[Report], on_delivered: Callable[[], None]) -> None:
        for report in reports:
            self._keep(report)
        on_delivered()

    def _keep(self, report: Report) -> None:
        event = with_trace(_decoder.decode(report.value, None, 0, 0), report.trace)
        self.published.append((report.command, event))


def request_of(
    command: RunTask,
    consumer: object,
    results: BatchingPublisher,
    note_end: Callable[[str], None] = lambda _: None,
    headers: Sequence[Header] = (),
) -> CommandRequest:
    """Returns Celery's request for a command of a record without a timestamp. Its end is noted with its id."""
    in_hand = CommandInHand(Delivery(Ledger(), Message(headers=list(headers)), 0, 0, 1), command)
    return request_for(
        in_hand,
        "topic",
        consumer,
        results,
        on_ended=lambda _: None,
        on_reported=lambda reported: note_end(reported.command.id),
    )


class CommandRuns:
    """An app whose commands run in this process. Its broker is memory://, or none:// if it has none."""

    def __init__(self, *, has_broker: bool, **configuration: object) -> None:
        no_broker.register()
        self.app = Celery(uuid4().hex, set_as_current=False, broker="memory://" if has_broker else no_broker.URL)
        self.app.conf.update({"task_default_queue": uuid4().hex, "result_backend": "cache+memory://"} | configuration)
        self.settled: list[str] = []
        """The ids of the commands that are settled."""
        self._published: list[tuple[CommandName, Event]] = []
        self._results = RecordingResults(self._published)
        self._signals = ResultSignals(RecordingPublisher(self._published))

    @property
    def events(self) -> list[Event]:
        """What was published, without the starts."""
        return [event for _, event in self._published if not isinstance(event, TaskStarted)]

    @property
    def starts(self) -> int:
        """Number of runs that were announced."""
        return sum(isinstance(event, TaskStarted) for _, event in self._published)

    @property
    def names(self) -> set[CommandName]:
        """The commands that events were published for."""
        return {name for name, _ in self._published}

    def run(self, command: RunTask, headers: Sequence[Header] = ()) -> None:
        """Runs a command as a worker with the solo pool does."""
        consumer = SimpleNamespace(app=self.app, hostname="here", event_dispatcher=None)
        with self._receiving(), self._current():
            request = request_of(command, consumer, self._results, self.settled.append, headers)
            request.execute_using_pool(TaskPool(app=self.app))

    def lose(self, command: RunTask, error: BaseException, headers: Sequence[Header] = ()) -> None:
        """Fails a command as the main process of a worker does whose pool child is gone."""
        consumer = SimpleNamespace(app=self.app, hostname="here", event_dispatcher=None)
        with self._receiving():
            request = request_of(command, consumer, self._results, self.settled.append, headers)
            request.on_failure(info_of(error))

    def run_messages(self) -> list[str]:
        """Runs the messages of the app's broker until there are none, and returns the names of their tasks."""
        names = []
        with self.app.connection_for_read() as connection, self._receiving():
            queue = self.app.amqp.queues[self.app.conf.task_default_queue](connection.default_channel)
            queue.declare()
            while (message := queue.get(no_ack=True)) is not None:
                request = Request(message, app=self.app, hostname="elsewhere")
                names.append(request.name)
                request.execute()
        return names

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Makes the app the current one, as it is in a worker."""
        before = current_app._get_current_object()  # the app behind Celery's proxy
        self.app.set_current()
        try:
            yield
        finally:
            before.set_current()

    @contextmanager
    def _receiving(self) -> Iterator[None]:
        before = [(signal, list(signal.receivers or ())) for signal in _SIGNALS]
        self._signals.connect()
        try:
            yield
        finally:
            for signal, receivers in before:
                signal.receivers[:] = receivers


def text_of(event: Any) -> str:  # noqa: ANN401  # any event
    """Returns the traceback of a failure or a retry."""
    return str(event.exception_info)
