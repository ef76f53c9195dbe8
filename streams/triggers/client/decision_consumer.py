"""Hands every decision of the feed to a function: at least once, and in order within a session.

Order is promised, so a decision is handed over only when it is proved that none before it is missing (`SkipGuard`).
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection
from typing import Final, cast

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.client.connection import Options, connection_options
from triggers.client.kafka_sender import KafkaSender
from triggers.client.topic_range import witness_options
from triggers.codec import DecisionRecord, decode_decision, encode_dead_letter
from triggers.errors import TryAgain, Undecodable
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF, is_passing
from triggers.kafka.letters import letter_of
from triggers.kafka.places import describe_lost_place, places_of_group, read_again_from
from triggers.kafka.reading_options import RELIABLE
from triggers.kafka.records import Record
from triggers.kafka.skip_guard import SkipGuard
from triggers.settings import Settings
from triggers.topology import Topology

HOOK_FAILED: Final = "hook failed"
"""Reason of the dead letter of a decision whose function raised as often as it may."""

_POLL_S: Final = 0.2
_MOST_AT_ONCE: Final = 100
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_LONGEST_CALL_MS: Final = 900_000
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
        self._group = names.reader_group(group)
        self._owned: dict[int, object] = {}
        self._waiting: deque[tuple[Message, object]] = deque()
        """Messages to be handed over, each with the assignment that it came in."""
        self._resting = False
        self._consumer = Consumer(_options(settings, self._group))
        self._guard = SkipGuard(witness_options(settings), self._topic)

    def run(self, stopping: threading.Event) -> None:
        """Hand over decisions until `stopping` is set; then commit and leave the group.

        Blocks. Raises KafkaException for what does not pass, RecordsMissing for decisions that cannot be read.
        """
        self._consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not stopping.is_set():
                message = self._next()
                if message is not None and self._insist(message, stopping):
                    self._consumer.store_offsets(message=message)
        finally:
            self._consumer.close()
            self._guard.close()
            self._sender.close()

    def _next(self) -> Message | None:
        """The next decision of a partition that is ours, if there is one within a moment."""
        if not self._waiting:
            self._fetch(_POLL_S)
        while self._waiting:
            message, assignment = self._waiting.popleft()
            if self._owned.get(message.partition() or 0) is assignment:
                return message
        return None

    def _fetch(self, timeout_s: float) -> None:
        """Rebalances happen in here."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        messages = [first, *self._consumer.consume(_MOST_AT_ONCE, 0)]
        decisions = [message for message in messages if self._is_decision(message)]
        checked = self._guard.check([message for message in decisions if (message.partition() or 0) in self._owned])
        self._waiting += [(message, self._owned[message.partition() or 0]) for message in checked.messages]
        again = checked.read_again | self._check_ends(messages, checked.read_again)
        for partition, offset in again.items():
            self._read_again(partition, offset)

    def _check_ends(self, messages: list[Message], moved: Collection[int]) -> dict[int, int]:
        """Where to read again the partitions whose end the consumer came to by leaving decisions out."""
        ends = {
            message.partition() or 0: message.offset() or 0
            for message in messages
            if (error := message.error()) is not None and error.code() == PARTITION_EOF
        }
        mine = {p: end for p, end in ends.items() if p in self._owned and p not in moved}
        places = {p: self._guard.reach(p, end) for p, end in mine.items() if end > self._guard.next_of(p)}
        return {p: offset for p, offset in places.items() if offset is not None}

    def _read_again(self, partition: int, offset: int) -> None:
        place = TopicPartition(self._topic, partition, offset)
        if read_again_from(self._consumer, place) and self._resting:
            self._consumer.pause([place])

    def _is_decision(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == PARTITION_EOF:
            return False
        if error.code() in NO_SUCH_OFFSET and message.partition() is not None:
            place = TopicPartition(self._topic, message.partition() or 0, message.offset() or 0)
            raise describe_lost_place(self._consumer, place, self._group)
        if not is_passing(error):
            raise KafkaException(error)
        log.warning("the decisions topic: %s", error.str())
        return False

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
            self._fetch(min(_POLL_S, seconds))  # what was on its way already waits behind this one
        self._resting = False
        self._consumer.resume(self._consumer.assignment())
        return not stopping.is_set() and self._owned.get(partition) is assignment

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = places_of_group(consumer, partitions)
        consumer.incremental_assign([TopicPartition(place.topic, place.partition, place.offset) for place in places])
        # A pause outlives the assignment: what was paused when it went away would never be read after it has come back.
        (consumer.pause if self._resting else consumer.resume)(partitions)
        for place in places:
            self._guard.start(place.partition, place.offset)
        self._owned |= {tp.partition: object() for tp in partitions}
        self._on_assigned()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._lost(consumer, partitions)
        consumer.incremental_unassign(partitions)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            self._owned.pop(tp.partition, None)
        self._guard.forget([tp.partition for tp in partitions])
        self._on_assigned()


def _options(settings: Settings, group: str) -> Options:
    session_ms = int(settings.session_timeout_s * 1000)
    return (
        connection_options(settings)
        | RELIABLE
        | {
            "group.id": group,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 1000,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": session_ms,
            "heartbeat.interval.ms": min(3000, session_ms // 3),
            "max.poll.interval.ms": max(_LONGEST_CALL_MS, session_ms),
            "allow.auto.create.topics": False,
        }
    )


def _place(message: Message) -> str:
    return f"decision {message.partition()}/{message.offset()}"
