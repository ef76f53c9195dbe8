"""Lets the records of a topic pass only when none before them is missing."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Message

from triggers.errors import RecordsRemoved, RecordsSkipped
from triggers.kafka.continuity import ExpectedOffsets, Gap, OutOfOrder
from triggers.kafka.witness import Finding, Options, Verdict, Witness

_MAX_REFUTATIONS: Final = 5
"""So often in a row a partition is read again from the same place."""
_PROOF_S: Final = 10.0

log = logging.getLogger(__name__)


class Checked(NamedTuple):
    """What may be handled, and what must be read again."""

    messages: list[Message]
    """In their order, nothing missing before any of them."""
    read_again: dict[int, int]
    """Partition -> offset to assign it at; what else was fetched of it is to be thrown away."""


class SkipGuard:
    """Knows which offset must come next in each partition of one reader, and has gaps proved before records pass.

    Offsets without gaps cost a comparison. The gaps of all the messages that are given together are proved together.
    Use it from one thread at a time.
    """

    def __init__(self, options: Options, topic: str) -> None:
        """`options`: how to connect, and a `group.id`, for the witness."""
        self._expected = ExpectedOffsets()
        self._witness = Witness(options, topic)
        self._topic = topic
        self._refuted: defaultdict[int, int] = defaultdict(int)

    def start(self, partition: int, offset: int) -> None:
        """The partition is read from this offset on."""
        self._expected.start(partition, offset)

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are no longer read."""
        self._expected.forget(partitions)

    def next_of(self, partition: int) -> int:
        """The offset that must come next."""
        return self._expected.next_of(partition)

    def check(self, messages: Sequence[Message]) -> Checked:
        """Records of started partitions, in the order in which the consumer gave them. Blocks while gaps are proved.

        Raises RecordsRemoved for a gap that the topic's retention has made, RecordsSkipped when reading again does not
        help.
        """
        before: dict[int, int] = {}
        gaps: list[Gap] = []
        read_again: dict[int, int] = {}
        for partition, offsets in _by_partition(messages).items():
            before[partition] = self._expected.next_of(partition)
            try:
                gaps += self._expected.advance(partition, offsets)
            except OutOfOrder as error:
                log.warning("%s is read again: %s", self._topic, error)
                read_again[partition] = before[partition]
        read_again |= self._refuted_places(gaps)
        self._start_again(read_again)
        for partition in before.keys() - read_again.keys():
            self._refuted.pop(partition, None)
        return Checked([message for message in messages if _is_before(message, read_again)], read_again)

    def reach(self, partition: int, position: int) -> int | None:
        """The consumer has come to this position without a record; the offset to read again from, if it is wrong."""
        gaps = self._expected.advance_to(partition, position)
        read_again = self._refuted_places(gaps)
        self._start_again(read_again)
        return read_again.get(partition)

    def close(self) -> None:
        """Give up the witness's connections."""
        self._witness.close()

    def _refuted_places(self, gaps: list[Gap]) -> dict[int, int]:
        found: dict[int, int] = {}
        for finding in self._witness.prove(gaps, _PROOF_S) if gaps else ():
            partition, first_missing = finding.gap.partition, finding.gap.first_missing
            if finding.verdict is Verdict.REMOVED:
                raise RecordsRemoved(describe_removed(self._topic, finding))
            if finding.verdict is not Verdict.HARMLESS:
                log.error("records of %s were left out and are read again: %s", self._topic, finding)
                found[partition] = min(found.get(partition, first_missing), first_missing)
        return found

    def _start_again(self, places: dict[int, int]) -> None:
        for partition, offset in places.items():
            self._expected.start(partition, offset)
            self._refuted[partition] += 1
            if self._refuted[partition] > _MAX_REFUTATIONS:
                raise RecordsSkipped(describe_skipped(self._topic, partition, offset))


def describe_removed(topic: str, finding: Finding) -> str:
    """What to tell the operator about a gap that retention has made."""
    return f"{topic}, {finding}: what was there was removed while it was read; the topic's retention is too short"


def describe_skipped(topic: str, partition: int, offset: int) -> str:
    """What to tell the operator about a client that leaves records out again and again."""
    return (
        f"the Kafka client leaves out records of {topic}/{partition} from offset {offset} on, also when they are asked"
        " for again; start the process anew, and report it with the version of confluent-kafka"
    )


def _by_partition(messages: Iterable[Message]) -> dict[int, list[int]]:
    offsets: defaultdict[int, list[int]] = defaultdict(list)
    for message in messages:
        offsets[message.partition() or 0].append(message.offset() or 0)
    return offsets


def _is_before(message: Message, places: dict[int, int]) -> bool:
    place = places.get(message.partition() or 0)
    return place is None or (message.offset() or 0) < place
