"""Where a log has its published rules: barriers that must keep their position among the events of all partitions.

Every partition has the same versions in the same order. So a log is a sequence of segments: events, then a version on
all partitions, then events, and so on. Whoever writes the events of a segment to any partitions, and then the version
to all of them, gets a log in which each session comes before and after the same versions as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Message

from triggers.core.events import RulesPublished
from triggers.errors import CallError

Version = tuple[str, int]
"""Name and number of published rules."""


@dataclass(frozen=True, slots=True)
class PublishedCopy:
    """A version of rules, and the record that publishes it."""

    event: RulesPublished
    message: Message

    @property
    def version(self) -> Version:
        """Name and number of the version."""
        return self.event.name, self.event.version


@dataclass(frozen=True, slots=True)
class Segment:
    """The events between two versions, from the first to the second offset of each partition."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]
    publishes: PublishedCopy | None
    """The version that is published after them, or None at the end of the log."""


def cut_into_segments(
    bounds: Mapping[int, tuple[int, int]],
    copies: Mapping[int, Sequence[PublishedCopy]],
    published: Sequence[PublishedCopy],
) -> Iterator[Segment]:
    """Yields the segments of a log.

    `bounds` has the first offset and the end of each partition, `copies` the versions on each partition in their order,
    and `published` all versions in the order of their publication. Versions that retention has removed from a partition
    come before its first event, and those that a mirror has not copied yet come after its last one.

    Raises CallError if a partition has other versions, or has them in another order.
    """
    order = [each.version for each in published]
    offsets = {partition: _copy_offsets(partition, order, copies.get(partition, ())) for partition in bounds}
    starts = {partition: first for partition, (first, _) in bounds.items()}
    for number, copy in enumerate(published):
        ends = {p: _end(offsets[p], number, starts[p], bounds[p][1]) for p in bounds}
        yield Segment(starts, ends, copy)
        starts = {p: ends[p] + (number in offsets[p]) for p in bounds}
    yield Segment(starts, {p: end for p, (_, end) in bounds.items()}, None)


def _copy_offsets(partition: int, order: Sequence[Version], copies: Iterable[PublishedCopy]) -> dict[int, int]:
    """Returns the offsets of a partition's copies by the number of the version in the order of publication."""
    offsets: dict[int, int] = {}
    for copy in copies:
        number = order.index(copy.version) if copy.version in order else -1
        if number < 0 or (offsets and number != max(offsets) + 1):
            name, version = copy.version
            raise CallError(
                f"partition {partition} has version {version} of the rules {name!r} at offset {copy.message.offset()},"
                " which is not its place in the topic of the rules: if the log was mirrored, mirror that topic, too"
            )
        offsets[number] = copy.message.offset() or 0
    return offsets


def _end(offsets: Mapping[int, int], number: int, start: int, end: int) -> int:
    """Returns where the segment before a version ends on a partition that may lack the version."""
    if number in offsets:
        return offsets[number]
    return end if offsets and number > max(offsets) else start
