"""`ResultPublisher`: publishes results one by one, waits for each, and does not give up.

It serves what the main process of a Celery worker does not report: tasks from the application's own broker, commands
that do not run, and dead letters.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

import msgspec
from celery.exceptions import SoftTimeLimitExceeded

from triggers.celery.reports import Report, encode_report, failure_of
from triggers.codec import DeadLetter, encode_dead_letter, encode_key, trace_headers
from triggers.core.events import Event
from triggers.errors import TooLarge, TryAgain
from triggers.kafka.rate_limited_log import RateLimitedLog
from triggers.kafka.records import Header
from triggers.kafka.sender import KafkaSender
from triggers.results.result_events import CommandName
from triggers.settings import Settings
from triggers.telemetry.spans import sending_attributes
from triggers.telemetry.tracing import sending_span
from triggers.topology import Topology

_PAUSE_S: Final = 1.0

log = logging.getLogger(__name__)
_outages = RateLimitedLog(log)


class ResultPublisher:
    """Publishes results and dead letters. It connects on first use.

    Thread-safe, and usable before and after a fork.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._names = Topology(settings.namespace)
        self._sender = KafkaSender(settings)

    def send_unacknowledged(self, name: CommandName, event: Event) -> None:
        """Sends an event without waiting for its acknowledgement.

        It precedes all later events that this process sends to the session, unless the producer is replaced after a
        timeout. A start that arrives after its result is stale.
        """
        value, key = encode_report(name, event).value, encode_key(name.session)
        try:
            self._sender.send(self._names.events, key, value, trace_headers(event.trace))
        except TryAgain as error:
            _outages.report(f"the start of {name.instance} was not sent: {error}")

    def publish(self, name: CommandName, event: Event) -> None:
        """Publishes a result, which continues its `trace`. Blocks until it is acknowledged, without a time limit.

        If the result is too large for the topic, a failure is published instead.
        """
        report = encode_report(name, event)
        try:
            self._publish_report(report)
        except TooLarge as error:
            self._publish_report(failure_of(report, error))

    def publish_dead_letter(self, letter: DeadLetter) -> None:
        """Publishes a dead letter. Blocks like `publish`. If it is too large, its value is replaced by a note."""
        try:
            self._publish_until_delivered(self._names.dead_letters, letter.key, encode_dead_letter(letter))
        except TooLarge:
            note = f"{letter.detail} [the value of {len(letter.value or b'')} bytes was omitted]"
            letter = msgspec.structs.replace(letter, value=None, headers=[], detail=note)
            self._publish_until_delivered(self._names.dead_letters, letter.key, encode_dead_letter(letter))

    def _publish_report(self, report: Report) -> None:
        topic, key = self._names.events, encode_key(report.session)
        if report.trace is None:
            self._publish_until_delivered(topic, key, report.value)
            return
        attributes = sending_attributes("report", topic, report.session) | {"triggers.instance": report.instance}
        with sending_span(f"report {report.kind}", report.trace, attributes) as sent:
            self._publish_until_delivered(topic, key, report.value, trace_headers(sent))

    def _publish_until_delivered(
        self, topic: str, key: bytes | None, value: bytes, headers: Sequence[Header] = ()
    ) -> None:
        while True:
            try:
                self._sender.wait_for(self._sender.send(topic, key, value, headers))
            except TryAgain as error:
                _outages.report(f"a result could not be published yet; trying again: {error}")
                time.sleep(_PAUSE_S)
            except SoftTimeLimitExceeded:
                log.warning("the soft time limit passed while the result was published; publishing it again")
            else:
                return
