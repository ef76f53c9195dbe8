"""`DecisionConsumer`: calls a function with every decision of the feed, at least once and in order within a session.

To keep the order, it calls the function only when it is proved that no earlier decision is missing (`SkipGuard`).
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection
from typing import Final, cast

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.codec import DecisionRecord, decode_decision, encode_dead_letter
from triggers.errors import TryAgain, Undecodable
from triggers.hooks.hook_metrics import HookMetrics
from triggers.hooks.hook_tracing import hook_span
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options
from triggers.kafka.denials import check_permissions
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF, is_transient
from triggers.kafka.followed_password import FollowedPassword
from triggers.kafka.letters import letter_of
from triggers.kafka.permissions import Process
from triggers.kafka.reading_options import gap_reader_options, group_options
from triggers.kafka.records import Record
from triggers.kafka.sender import KafkaSender
from triggers.kafka.skip_guard import SkipGuard
from triggers.kafka.start_offsets import lost_position_error, read_again_from, starting_positions
from triggers.settings import Settings
from triggers.topology import Topology

HOOK_FAILED: Final = "hook failed"
"""Reason of a dead letter for a decision whose function raised `hook_attempts` times."""

_POLL_S: Final = 0.2
_MAX_MESSAGES: Final = 100
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_LONGEST_CALL_MS: Final = 900_000
log = logging.getLogger(__name__)


class DecisionConsumer:
    """A member of a consumer group that reads `<ns>.decisions` from its beginning. `HookRunner` uses it.

    A decision is done when `handle` has returned. Offsets are committed once a second, so after a crash `handle` may be
    called again for the decisions of the last second. If it raises, it is called again, with growing pauses, while the
    other decisions of the partition wait; after `hook_attempts` times, the decision becomes a dead letter. `TryAgain`
    (a worker or a broker is unreachable) is not counted. A call may take up to 15 minutes.
    """

    def __init__(
        self,
        settings: Settings,
        handle: Callable[[DecisionRecord], None],
        *,
        group: str = "hooks",
        on_assigned: Callable[[], None] = lambda: None,
        metrics: HookMetrics | None = None,
    ) -> None:
        """Every `group` reads every decision. `on_assigned` is called after partitions were assigned or revoked."""
        self._metrics = metrics or HookMetrics()
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
        """Fetched messages, each with the assignment during which it was fetched."""
        self._pausing = False
        self._password = FollowedPassword(settings, ClientKind.CONSUMER)
        self._consumer = Consumer(_options(settings, self._group))
        self._guard = SkipGuard(lambda: gap_reader_options(settings), self._topic)

    def run(self, stopping: threading.Event) -> None:
        """Handles decisions until `stopping` is set, then commits the offsets and leaves the group. Blocks.

        Raises KafkaException for errors that are not transient, RecordsMissing if decisions cannot be read, and
        AccessDenied.
        """
        if self._settings.is_secured and self._group == Topology(self._settings.namespace).reader_group("hooks"):
            check_permissions(self._settings, Process.HOOKS)
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not stopping.is_set():
                message = self._next()
                if message is not None and self._handle_until_done(message, stopping):
                    self._consumer.store_offsets(message=message)
        finally:
            self._consumer.close()
            self._guard.close()
            self._sender.close()

    def _next(self) -> Message | None:
        """Returns the next decision of an owned partition, or None if none arrives within 0.2 s."""
        if not self._waiting:
            self._fetch(_POLL_S)
        while self._waiting:
            message, assignment = self._waiting.popleft()
            if self._owned.get(message.partition() or 0) is assignment:
                return message
        return None

    def _fetch(self, timeout_s: float) -> None:
        """Fetches messages into `_waiting`. Rebalance callbacks run in here."""
        self._password.renew(self._consumer)
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        messages = [first, *self._consumer.consume(_MAX_MESSAGES, 0)]
        decisions = [message for message in messages if self._is_decision(message)]
        checked = self._guard.check([message for message in decisions if (message.partition() or 0) in self._owned])
        self._waiting += [(message, self._owned[message.partition() or 0]) for message in checked.messages]
        again = checked.read_again | self._check_ends(messages, checked.read_again)
        for partition, offset in again.items():
            self._read_again(partition, offset)

    def _check_ends(self, messages: list[Message], moved: Collection[int]) -> dict[int, int]:
        """Returns the offsets to read again, by partition, if the consumer reached an end by skipping decisions."""
        ends = {
            message.partition() or 0: message.offset() or 0
            for message in messages
            if (error := message.error()) is not None and error.code() == PARTITION_EOF
        }
        owned = {p: end for p, end in ends.items() if p in self._owned and p not in moved}
        offsets = {p: self._guard.reach(p, end) for p, end in owned.items() if end > self._guard.next_of(p)}
        return {p: offset for p, offset in offsets.items() if offset is not None}

    def _read_again(self, partition: int, offset: int) -> None:
        position = TopicPartition(self._topic, partition, offset)
        if read_again_from(self._consumer, position) and self._pausing:
            self._consumer.pause([position])

    def _is_decision(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == PARTITION_EOF:
            return False
        if error.code() in NO_SUCH_OFFSET and message.partition() is not None:
            position = TopicPartition(self._topic, message.partition() or 0, message.offset() or 0)
            raise lost_position_error(self._consumer, position, self._group)
        if not is_transient(error):
            raise KafkaException(error)
        log.warning("the decisions topic: %s", error.str())
        return False

    def _handle_until_done(self, message: Message, stopping: threading.Event) -> bool:
        """Handles a decision until that succeeds or it becomes a dead letter.

        Returns False if its partition was revoked meanwhile or the process stops.
        """
        assignment = self._owned.get(message.partition() or 0)
        failures, pause_s = 0, _FIRST_PAUSE_S
        while True:
            try:
                if self._handle_once(message, failures):
                    return True
                failures += 1
                self._metrics.decisions.labels("failed").inc()
            except TryAgain as error:
                self._metrics.decisions.labels("delayed").inc()
                log.warning("%s cannot be handled yet: %s", _describe_position(message), error)
            if not self._pause_for(pause_s, message.partition() or 0, assignment, stopping):
                return False
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _handle_once(self, message: Message, failures: int) -> bool:
        """Calls `handle` once. Returns False if it raised and may be called again. Raises TryAgain.

        Publishes a dead letter if the decision cannot be decoded, or if `handle` raised too often.
        """
        coordinates = {"partition": message.partition(), "offset": message.offset()}
        session = (message.key() or b"").decode(errors="replace")
        with structlog.contextvars.bound_contextvars(session=session, **coordinates):  # for the lines of the hooks, too
            return self._call_handle(message, failures)

    def _call_handle(self, message: Message, failures: int) -> bool:
        try:
            with self._metrics.seconds.time():
                decision = decode_decision(message.value())
                with hook_span(message, decision):
                    self._handle(decision)
            self._metrics.decisions.labels("done").inc()
        except TryAgain:
            raise
        except Undecodable as error:
            self._publish_dead_letter(message, error.reason, error.detail)
        except Exception as error:
            if failures + 1 < self._settings.hook_attempts:
                log.exception("%s: a hook raised and will be run again", _describe_position(message))
                return False
            log.exception(
                "%s: a hook raised %d times, so it is a dead letter", _describe_position(message), failures + 1
            )
            self._publish_dead_letter(message, HOOK_FAILED, "".join(traceback.format_exception(error))[-4000:])
        return True

    def _publish_dead_letter(self, message: Message, reason: str, detail: str) -> None:
        self._metrics.decisions.labels("dead_letter").inc()
        letter = letter_of(cast("Record", message), reason, detail)
        self._sender.wait_for(self._sender.send(self._dead_letters, message.key(), encode_dead_letter(letter)))

    def _pause_for(self, seconds: float, partition: int, assignment: object, stopping: threading.Event) -> bool:
        """Remains a group member for that many seconds without handling decisions.

        Returns False if the partition was revoked or the process stops.
        """
        self._consumer.pause(self._consumer.assignment())
        self._pausing = True
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stopping.is_set() and self._owned.get(partition) is assignment:
            self._fetch(min(_POLL_S, seconds))  # decisions in flight are queued after this one
        self._pausing = False
        self._consumer.resume(self._consumer.assignment())
        return not stopping.is_set() and self._owned.get(partition) is assignment

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        positions = starting_positions(consumer, partitions)
        consumer.incremental_assign([TopicPartition(tp.topic, tp.partition, tp.offset) for tp in positions])
        # A pause outlives the assignment: without this, a partition that was revoked while paused is never read again.
        (consumer.pause if self._pausing else consumer.resume)(partitions)
        for position in positions:
            self._guard.start(position.partition, position.offset)
        self._owned |= {tp.partition: object() for tp in partitions}
        self._on_assigned()

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._on_lost(consumer, partitions)
        consumer.incremental_unassign(partitions)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            self._owned.pop(tp.partition, None)
        self._guard.forget([tp.partition for tp in partitions])
        self._on_assigned()


def _options(settings: Settings, group: str) -> Options:
    ours: Options = {
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1000,
        "enable.auto.offset.store": False,
        "max.poll.interval.ms": max(_LONGEST_CALL_MS, int(settings.session_timeout_s * 1000)),
        "allow.auto.create.topics": False,
    }
    return group_options(settings, group, settings.session_timeout_s, ours)


def _describe_position(message: Message) -> str:
    return f"decision {message.partition()}/{message.offset()}"
