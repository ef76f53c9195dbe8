"""`BatchingPublisher`: publishes the results of a Celery worker in batches, from its main process, and blocks nobody.

A record waits some milliseconds for others of its partition, longer under load. So the start and the end of a short
task, and the results of several tasks, are one request. A command is settled when its results are on Kafka.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import Producer

from triggers.celery.record_rate import RecordRate
from triggers.celery.reports import Report, failure_of
from triggers.codec import encode_key, trace_headers
from triggers.errors import TooLarge, TriggersError
from triggers.kafka.rate_limited_log import RateLimitedLog
from triggers.kafka.sender import KafkaSender, RecordInFlight
from triggers.settings import Settings
from triggers.telemetry.spans import Kind, sending_attributes
from triggers.telemetry.tracing import begin_span
from triggers.topology import Topology

if TYPE_CHECKING:
    from triggers.telemetry.active_span import ActiveSpan

_LINGER_MS: Final = 20
"""Maximum wait of a record for others of its partition, under load."""
_SHORT_LINGER_S: Final = 0.005
"""The same wait while there are few records. It lets the end of a short task join its start."""
_PAUSE_S: Final = 1.0
"""Pause before a result that was not delivered is published again."""
_POLL_S: Final = 0.1
_SHORT_POLL_S: Final = 0.01
"""Poll time if there are several producers: while one waits for a broker, its successor may have reports."""
_MAX_COMMANDS: Final = 200
"""Maximum number of ended commands whose results are not delivered. They are repeated if the worker is killed."""
_MAX_BYTES: Final = 64_000_000

log = logging.getLogger(__name__)


class _Undelivered:
    """The results of a command that are not on Kafka yet."""

    __slots__ = ("on_delivered", "remaining", "size")

    def __init__(self, reports: Sequence[Report], on_delivered: Callable[[], None]) -> None:
        self.remaining = len(reports)
        self.size = sum(len(report.value) for report in reports)
        self.on_delivered = on_delivered


class _Outgoing(NamedTuple):
    """A record, and the results that it belongs to. A start belongs to none, because nobody waits for it."""

    report: Report
    results: _Undelivered | None


class BatchingPublisher:
    """Publishes results without blocking, and does not give up. It connects on first use. Thread-safe.

    In a cold shutdown, Celery stops its pool in a signal handler, which may interrupt any method of this class in the
    main thread, and publishes the last results there. So the methods that publish take only locks that their thread can
    acquire again, or that are free. Pool children do not use it.
    """

    def __init__(self, settings: Settings, on_death: Callable[[], None]) -> None:
        """`on_death` is called in the thread that learns of deliveries, if it dies."""
        self.settings = settings
        self._on_death = on_death
        self._outages = RateLimitedLog(log)
        self._topic = Topology(settings.namespace).events
        self._sender = KafkaSender(settings, _LINGER_MS)
        self._producers: list[Producer] = []
        """The producers that may have records in flight. One that has failed is followed by its successor."""
        self._undelivered: set[_Undelivered] = set()
        self._bytes = 0
        self._changed = threading.Condition()
        """Guards `_producers`, `_undelivered` and `_bytes`, and is notified when results are delivered."""
        self._repeats: deque[tuple[float, _Outgoing]] = deque()
        """Records to publish again, with the earliest time for it."""
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._serving = threading.Lock()
        """Held while the thread of a caller serves callbacks. Only acquired if it is free."""
        self._is_waiting = False
        """True while the thread waits for a wake-up, because nothing is in flight."""
        self._is_closed = False
        self._rate = RecordRate(time.monotonic())
        self._thread = threading.Thread(target=self._run, name="triggers-results", daemon=True)

    @property
    def has_room(self) -> bool:
        """False while so many results wait for Kafka that no further command should begin."""
        return len(self._undelivered) < _MAX_COMMANDS and self._bytes < _MAX_BYTES

    def start(self) -> None:
        """Starts the thread that learns of deliveries. Call it once."""
        self._thread.start()

    def announce_start(self, started: Report) -> None:
        """Publishes that a run has started. It precedes its result. Nobody learns of it if Kafka does not accept it."""
        self._send(_Outgoing(started, None))

    def publish(self, reports: Sequence[Report], on_delivered: Callable[[], None]) -> None:
        """Publishes the reports of a run, in order, and repeats each until it is on Kafka.

        Calls `on_delivered` then, in any thread. Publishes a failure instead of an event that is too large.
        """
        results = _Undelivered(reports, on_delivered)
        with self._changed:
            self._undelivered.add(results)
            self._bytes += results.size
        for report in reports:
            self._send(_Outgoing(report, results))

    def wait_until_delivered(self, timeout_s: float) -> bool:
        """Blocks until everything that was published before this call is on Kafka. Returns False after the timeout."""
        with self._changed:
            earlier = set(self._undelivered)
            return self._changed.wait_for(lambda: earlier.isdisjoint(self._undelivered), timeout_s)

    def close(self, timeout_s: float) -> None:
        """Waits for what was published, then ends the thread. Blocks for a little longer than the timeout at most."""
        self.wait_until_delivered(timeout_s)
        self._is_closed = True
        self._wake_ups.put(None)
        self._thread.join(2 * _POLL_S)

    def _send(self, outgoing: _Outgoing) -> None:
        report = outgoing.report
        self._rate.count += 1
        span = _begin_report(self._topic, outgoing)
        headers = trace_headers(report.trace if span is None else span.trace)
        on_done = None if outgoing.results is None else partial(self._on_done, outgoing, span)
        try:
            delivery = self._sender.enqueue(self._topic, encode_key(report.session), report.value, headers, on_done)
        except TriggersError as error:
            self._on_failure(outgoing, error, span)
            return
        if not self._producers or self._producers[-1] is not delivery.producer:
            with self._changed:
                self._producers.append(delivery.producer)
        if self._is_waiting:
            self._wake_ups.put(None)
        self._serve_callbacks(delivery.producer)

    def _serve_callbacks(self, producer: Producer) -> None:
        """Serves the callbacks that are due, in the thread of the caller.

        Our own thread would have to wait for the interpreter's lock before each of them. librdkafka's binding must not
        poll again inside of a callback, as it would if a signal handler that publishes interrupted one.
        """
        if self._serving.acquire(blocking=False):
            try:
                producer.poll(0)
            finally:
                self._serving.release()

    def _on_done(self, outgoing: _Outgoing, span: ActiveSpan | None, delivery: RecordInFlight) -> None:
        """Ends or repeats a result. It is its delivery callback, which is called in the thread that polls."""
        try:
            self._sender.coordinates_of(delivery)
        except TriggersError as error:
            self._on_failure(outgoing, error, span)
            return
        if span is not None:
            span.end()
        if outgoing.results is not None:
            self._count_delivery(outgoing.results)

    def _count_delivery(self, results: _Undelivered) -> None:
        with self._changed:
            results.remaining -= 1
            if results.remaining:
                return
            self._undelivered.discard(results)
            self._bytes -= results.size
        results.on_delivered()
        with self._changed:
            self._changed.notify_all()

    def _on_failure(self, outgoing: _Outgoing, error: TriggersError, span: ActiveSpan | None) -> None:
        if span is not None:
            span.record_error(error)
            span.end()
        report = outgoing.report
        if outgoing.results is None:
            self._outages.report(f"the start of {report.instance} was not published: {error}")
            return
        if isinstance(error, TooLarge):
            report = failure_of(report, error)
        else:
            self._outages.report(f"a result could not be published yet; trying again: {error}")
        self._repeats.append((time.monotonic() + _PAUSE_S, outgoing._replace(report=report)))
        if self._is_waiting:
            self._wake_ups.put(None)

    def _run(self) -> None:
        try:
            self._poll_until_closed()
        except BaseException:
            log.critical("the thread that publishes results died; the worker stops", exc_info=True)
            self._on_death()

    def _poll_until_closed(self) -> None:
        """Sends repeats, and polls every producer with records in flight."""
        while not self._is_closed:
            self._send_repeats()
            self._is_waiting = True  # first, so that no record is overlooked that is sent from now on
            if busy := [producer for producer in self._producers if len(producer)]:
                self._is_waiting = False
                for producer in busy:
                    self._serve(producer, _POLL_S if len(busy) == 1 else _SHORT_POLL_S)
            else:
                self._wait()
            if len(self._producers) > 1:
                with self._changed:
                    self._producers = [each for each in self._producers[:-1] if len(each)] + self._producers[-1:]

    def _serve(self, producer: Producer, poll_s: float) -> None:
        """Serves the callbacks of a producer. At a low rate, its records are sent after the short linger."""
        if not self._rate.is_low(time.monotonic()):
            producer.poll(poll_s)
        elif not producer.poll(_SHORT_LINGER_S):
            producer.flush(poll_s)

    def _wait(self) -> None:
        """Waits for a wake-up or, if there are repeats, for a moment."""
        with suppress(Empty):
            self._wake_ups.get(timeout=_PAUSE_S / 2 if self._repeats else None)
        self._is_waiting = False

    def _send_repeats(self) -> None:
        now = time.monotonic()
        for _ in range(len(self._repeats)):
            due, outgoing = self._repeats.popleft()
            if due <= now:
                self._send(outgoing)
            else:
                self._repeats.append((due, outgoing))


def _begin_report(topic: str, outgoing: _Outgoing) -> ActiveSpan | None:
    """Begins the span of a result, which lasts until the delivery. A start, or a run without a trace, has none."""
    report = outgoing.report
    if outgoing.results is None or report.trace is None:
        return None
    attributes = sending_attributes("report", topic, report.session) | {"triggers.instance": report.instance}
    span = begin_span(f"report {report.kind}", Kind.PRODUCER, report.trace, attributes)
    if span is not None:
        span.leave()
    return span
