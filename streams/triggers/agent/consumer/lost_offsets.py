"""Error messages for a committed offset that is lost: what is gone, and how the operator can continue."""

from __future__ import annotations

from dataclasses import dataclass

OFFSET_LOST = (
    "the group has no committed offset for partition {partition} of {topic}, but the partition has sessions: reading it"
    " from the beginning would apply its events twice. Kafka deletes the offsets of a group that was empty for longer"
    " than offsets.retention.minutes, and those of a topic that is deleted. If {topic} was recreated, run `triggers"
    " reserve-offsets`; if it was mirrored, `triggers copy --mirrored`. Otherwise set the offset with"
    " kafka-consumer-groups.sh --reset-offsets to the first event that was not applied"
)

ROWS_LOST = (
    "the events of partition {partition} of {topic} are applied up to offset {committed}, but the changelog has no rows"
    " of it: the changelog was lost or recreated, and with it the sessions. Restore it from a backup, or stop all"
    " workers and run `triggers rebuild`, which folds the events again"
)

OFFSET_MOVED = (
    "the group {group} was at offset {actual} of partition {partition} of {topic}, but this worker owns the partition"
    " and has committed offset {committed}: another process has changed the group's offset. It was set back to"
    " {committed}, so no event is skipped or applied twice. Find that process: a tool that resets offsets, or a client"
    " with the same group.id"
)

_REMOVED = (
    "events of partition {partition} of {topic} were removed from the topic before they were applied: offsets"
    " {committed} to {last}. The group {group} has committed offset {committed}, but the log begins at {first}."
    " retention.ms or retention.bytes of the topic is too small for the time that the workers were down, or the records"
    " were deleted. The sessions lack these events: publish them again if the application can, and let the group"
    " continue after them: {command}"
)
_TRUNCATED = (
    "partition {partition} of {topic} was truncated: the group {group} has committed offset {committed}, but the log"
    " ends at {end}. A replica that was not in sync has become the leader (unclean.leader.election.enable), or the"
    " topic was recreated. Events at offsets {end} to {before} are applied but no longer in the topic. To continue"
    " with the events that are published from now on: {command}"
)
_COMMAND = (
    "stop all workers, run kafka-consumer-groups.sh --bootstrap-server BROKERS --group {group} --topic"
    " {topic}:{partition} --reset-offsets --to-offset {to} --execute, and start them again"
)


@dataclass(frozen=True, slots=True)
class LostOffset:
    """A committed offset that the broker does not have."""

    topic: str
    group: str
    partition: int
    committed: int
    """The group's committed offset, which is the next one to read."""
    first: int
    """First offset of the log."""
    end: int
    """End of the log."""

    @property
    def is_removed(self) -> bool:
        """Returns whether events were removed before they were applied."""
        return self.committed < self.first

    @property
    def is_truncated(self) -> bool:
        """Returns whether the log ends before events that were applied."""
        return self.committed > self.end

    def __str__(self) -> str:
        to = self.first if self.is_removed else self.end
        command = _COMMAND.format(group=self.group, topic=self.topic, partition=self.partition, to=to)
        return (_REMOVED if self.is_removed else _TRUNCATED).format(
            partition=self.partition,
            topic=self.topic,
            group=self.group,
            committed=self.committed,
            before=self.committed - 1,
            first=self.first,
            last=self.first - 1,
            end=self.end,
            command=command,
        )
