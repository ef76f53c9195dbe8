"""Puts results on `<ns>.events` and does not give up: whoever settles a command relies on its result being there."""

from __future__ import annotations

import logging
import time
from typing import Final

import msgspec
from celery.exceptions import SoftTimeLimitExceeded

from triggers.codec import DeadLetter, encode_dead_letter, encode_event, encode_key
from triggers.core.events import Event
from triggers.errors import TooLarge, TryAgain
from triggers.kafka.sender import KafkaSender
from triggers.results.outcomes import CommandName, failed_event
from triggers.settings import Settings
from triggers.topology import Topology

_PAUSE_S: Final = 1.0
_SMALL_BYTES: Final = 1000

log = logging.getLogger(__name__)


class ResultPublisher:
    """Publishes results and dead letters. Thread-safe; usable before and after a fork; connects on first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._names = Topology(settings.namespace)
        self._sender = KafkaSender(settings)

    def send_unacknowledged(self, name: CommandName, event: Event) -> None:
        """Send an event that nobody waits for; it precedes every later one of the same session and process.

        Only a producer that is replaced after a time-out may send it later; a start behind its result is stale.
        """
        try:
            self._sender.send(self._names.events, encode_key(name.session), _encoded(event))
        except TryAgain as error:
            log.warning("the start of %s is not announced: %s", name.instance, error)

    def publish(self, name: CommandName, event: Event) -> None:
        """Publish a result; blocks until it is on Kafka, however long that takes.

        A result that the topic refuses as too large is published as a failure.
        """
        try:
            self._publish_until_delivered(self._names.events, encode_key(name.session), _encoded(event))
        except TooLarge as error:
            replacement = failed_event(name, error, max_payload_bytes=_SMALL_BYTES)
            self._publish_until_delivered(self._names.events, encode_key(name.session), _encoded(replacement))

    def publish_dead_letter(self, letter: DeadLetter) -> None:
        """Publish a dead letter; blocks like `publish`. One that is too large loses its value, and says so."""
        try:
            self._publish_until_delivered(self._names.dead_letters, letter.key, encode_dead_letter(letter))
        except TooLarge:
            note = f"{letter.detail} [the value had {len(letter.value or b'')} bytes and is left out]"
            letter = msgspec.structs.replace(letter, value=None, headers=[], detail=note)
            self._publish_until_delivered(self._names.dead_letters, letter.key, encode_dead_letter(letter))

    def _publish_until_delivered(self, topic: str, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                self._sender.wait_for(self._sender.send(topic, key, value))
            except TryAgain as error:
                log.error("a result is not on Kafka yet, trying again: %s", error)  # noqa: TRY400  # no traceback needed
                time.sleep(_PAUSE_S)
            except SoftTimeLimitExceeded:
                log.warning("the soft time limit passed while the result was published; publishing it again")
            else:
                return


def _encoded(event: Event) -> bytes:
    return encode_event(event, source="celery")
