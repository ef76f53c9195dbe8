"""Hands every decision of the feed to a function: at least once, and in order within a session."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.client.connection import Options, connection_options
from triggers.client.kafka_sender import KafkaSender
from triggers.codec import DecisionRecord, decode_decision, encode_dead_letter
from triggers.errors import TryAgain, Undecodable
from triggers.kafka.letters import letter_of
from triggers.kafka.records import Record
from triggers.settings import Settings
from triggers.topology import Topology

HOOK_FAILED: Final = "hook failed"
"""Reason of the dead letter of a decision whose function raised as often as it may."""

_POLL_S: Final = 0.2
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_LONGEST_CALL_MS: Final = 900_000
_PASSING: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001  # librdkafka's own codes, published so
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
}
"""Errors that the consumer itself outlives, beside those that Kafka calls retriable."""

log = logging.getLogger(__name__)


class DecisionConsumer:
    """One member of a group that reads `<ns>.decisions` from its beginning.

    A decision counts as done when `handle` has returned; whoever dies before that leaves it to the next member, so
    that `handle` may see the last second's decisions again. What it raises is tried again, with growing pauses, while
    the other decisions of its partition wait; after `hook_attempts` times the decision goes to the dead letters.
    `TryAgain` (a worker or a broker is away) does not count. A call may take 15 minutes.
    """

    def __init__(
        self,
        settings: Settings,
        handle: Callable[[DecisionRecord], None],
        *,
        group: str = "hooks",
        on_assigned: Callable[[], None] = lambda: None,
    ) -> None:
        """`group`: each group sees every decision. `on_assigned`: called when partitions have come or gone."""
        self._settings = settings
        self._handle = handle
        self._on_assigned = on_assigned
        names = Topology(settings.namespace)
        self._topic = names.decisions
        self._dead_letters = names.dead_letters
        self._sender = KafkaSender(settings)
        self._owned: dict[int, object] = {}
        self._resting = False
        self._consumer = Consumer(_options(settings, names.reader_group(group)))

    def run(self, stopping: threading.Event) -> None:
        """Hand over decisions until `stopping` is set; then commit and leave the group.

        Blocks. Raises KafkaException for what does not pass.
        """
        self._consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not stopping.is_set():
                message = self._poll(_POLL_S)
                if message is not None and self._insist(message, stopping):
                    self._consumer.store_offsets(message=message)
        finally:
            self._consumer.close()
            self._sender.close()

    def _poll(self, timeout_s: float) -> Message | None:
        message = self._consumer.poll(timeout_s)
        error = None if message is None else message.error()
        if error is None:
            return message
        if error.fatal() or not (error.retriable() or error.code() in _PASSING):
            raise KafkaException(error)
        log.warning("the decisions topic: %s", error.str())
        return None

    def _insist(self, message: Message, stopping: threading.Event) -> bool:
        """Hand it over until that succeeds or it is buried; False: it is not ours any more, or the process stops."""
        assignment = self._owned.get(message.partition() or 0)
        failures, pause_s = 0, _FIRST_PAUSE_S
        while True:
            try:
                if self._settle(message, failures):
                    return True
                failures += 1
            except TryAgain as error:
                log.warning("%s waits: %s", _place(message), error)
            if not self._rest(pause_s, message.partition() or 0, assignment, stopping):
                return False
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _settle(self, message: Message, failures: int) -> bool:
        """Hand it over, or bury it; False: it failed and may be tried again. Raises TryAgain."""
        try:
            self._handle(decode_decision(message.value()))
        except TryAgain:
            raise
        except Undecodable as error:
            self._bury(message, error.reason, error.detail)
        except Exception as error:
            if failures + 1 < self._settings.hook_attempts:
                log.exception("%s: a hook failed, it will be tried again", _place(message))
                return False
            log.exception("%s: a hook failed %d times, the decision is a dead letter", _place(message), failures + 1)
            self._bury(message, HOOK_FAILED, "".join(traceback.format_exception(error))[-4000:])
        return True

    def _bury(self, message: Message, reason: str, detail: str) -> None:
        letter = letter_of(cast("Record", message), reason, detail)
        self._sender.wait(self._sender.send(self._dead_letters, message.key(), encode_dead_letter(letter)))

    def _rest(self, seconds: float, partition: int, assignment: object, stopping: threading.Event) -> bool:
        """Stay a member and take nothing for so long; False: the partition went away, or the process stops."""
        self._consumer.pause(self._consumer.assignment())
        self._resting = True
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stopping.is_set() and self._owned.get(partition) is assignment:
            if (message := self._poll(min(_POLL_S, seconds))) is not None:  # it was on its way already
                place = TopicPartition(self._topic, message.partition() or 0, message.offset() or 0)
                self._consumer.seek(place)
        self._resting = False
        self._consumer.resume(self._consumer.assignment())
        return not stopping.is_set() and self._owned.get(partition) is assignment

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        if self._resting:
            consumer.pause(partitions)
        self._owned |= {tp.partition: object() for tp in partitions}
        self._on_assigned()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._lost(consumer, partitions)
        consumer.incremental_unassign(partitions)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            self._owned.pop(tp.partition, None)
        self._on_assigned()


def _options(settings: Settings, group: str) -> Options:
    session_ms = int(settings.session_timeout_s * 1000)
    return connection_options(settings) | {
        "group.id": group,
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1000,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": session_ms,
        "heartbeat.interval.ms": min(3000, session_ms // 3),
        "max.poll.interval.ms": max(_LONGEST_CALL_MS, session_ms),
        "allow.auto.create.topics": False,
    }


def _place(message: Message) -> str:
    return f"decision {message.partition()}/{message.offset()}"
