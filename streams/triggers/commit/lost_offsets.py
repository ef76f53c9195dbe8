"""What is said when the place where the group has to read on is lost: what is gone, and how the operator goes on."""

from __future__ import annotations

from dataclasses import dataclass

OFFSET_LOST = (
    "the group has no offset for partition {partition} of {topic}, but its sessions are there: reading it from the"
    " beginning would apply its events twice. Kafka forgets the offsets of a group that was away for longer than"
    " offsets.retention.minutes; set them with kafka-consumer-groups.sh --reset-offsets to the first event that is not"
    " in the sessions yet"
)

OFFSET_MOVED = (
    "the group {group} was at offset {told} of partition {partition} of {topic}, but this worker owns the partition and"
    " has committed offset {known}: another process has written the group's offset. It was set back to {known}, so no"
    " event is skipped or applied twice. Find out who writes it: a tool that resets offsets, or a client with the same"
    " group.id"
)

_REMOVED = (
    "events of partition {partition} of {topic} were removed from the topic before they were applied: those at offsets"
    " {committed} to {last}. The group {group} has to read on at offset {committed}, but the log begins at {first}."
    " retention.ms or retention.bytes of the topic is too small for how long the workers were away, or somebody deleted"
    " records. The sessions lack these events; publish them again if their application can, then let the group go on"
    " behind them: {command}"
)
_TRUNCATED = (
    "partition {partition} of {topic} was cut off: the group {group} has to read on at offset {committed}, but the log"
    " ends at {end}. A broker that had not copied everything has become the leader (unclean.leader.election.enable), or"
    " the topic was made anew. Events at offsets {end} to {before} are applied and no longer in the topic. To go on"
    " with what is published from now on: {command}"
)
_COMMAND = (
    "stop all workers, run kafka-consumer-groups.sh --bootstrap-server BROKERS --group {group} --topic"
    " {topic}:{partition} --reset-offsets --to-offset {to} --execute, and start them again"
)


@dataclass(frozen=True, slots=True)
class LostPlace:
    """A committed offset that the broker does not have."""

    topic: str
    group: str
    partition: int
    committed: int
    """Where the group has to read on."""
    first: int
    """Where the log begins."""
    end: int
    """Where it ends."""

    @property
    def is_removed(self) -> bool:
        """Whether events that nobody has applied were removed."""
        return self.committed < self.first

    @property
    def is_truncated(self) -> bool:
        """Whether the log ends before events that were applied."""
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
