"""Copies an installation under another name, with another number of partitions, or to another cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from triggers.client.dead_letters import OPEN, DeadLetters, StoredLetter
from triggers.codec import encode_command, encode_dead_letter
from triggers.core.state.rows import HEADERS
from triggers.kafka.bulk_sender import BulkRecord, BulkSender
from triggers.recovery.event_copier import NO_OFFSET, EventCopier
from triggers.recovery.fold_files import folded_partitions
from triggers.recovery.folded_partition import FoldedPartition
from triggers.recovery.installation_checks import check_nobody_works
from triggers.recovery.new_installation import NewInstallation
from triggers.recovery.published_copies import PublishedCopy
from triggers.recovery.refused_events import RefusedEvents, letters_about
from triggers.recovery.source_log import SourceLog, is_publication
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

_REPORTED_EVERY: Final = 5_000


class Copied(Struct, frozen=True, kw_only=True):
    """The numbers of a copy."""

    partitions: int
    events: int
    versions: int
    """Number of versions of published rules."""
    sessions: int
    rows: int
    commands: int
    """Number of commands without a result, which are issued again."""
    late_events: int
    """Number of events that the rules demand and that the old log does not have."""
    dead_letters_before: int
    """Number of records that were dead letters in the old installation."""
    refused: int
    """Number of events that are dead letters now."""
    open_letters: int
    """Number of open dead letters, which the new installation has, too."""
    seconds: float


class InstallationCopy:
    """A copy of one installation into another. Nobody may work on either of them, or fire triggers."""

    def __init__(self, source: Settings, target: Settings, *, is_mirror: bool, retention_days: int) -> None:
        """`target` names the new installation, its cluster and its number of partitions.

        With `is_mirror`, a mirror has written the source, so that its records have other offsets than its dead letters
        and the changelog say.
        """
        self._source = source
        self._target = target
        self._names = Topology(target.namespace)
        self._is_mirror = is_mirror
        self._new = NewInstallation(target, retention_days)
        self._sender = BulkSender(target)

    def run(self, on_progress: Callable[[int, int], None]) -> Copied:
        """Copies everything. Blocks for some 0.03 ms per event.

        `on_progress` is called with the number of events that are copied, and that of all offsets of the log.
        Raises CallError if something runs, if the new topics exist already, or if the source changes meanwhile.
        """
        started = time.monotonic()
        check_nobody_works(self._source, executors=True)
        log = SourceLog(self._source)
        letters = DeadLetters(self._source).read_all()
        self._new.begin(self._sender)
        with folded_partitions(self._target.partitions) as folded:
            copier = self._copier(log, letters, folded)
            versions = _copy_events(log, copier, on_progress)
            log.check_unchanged()
            sessions, rows = self._write_rows(folded)
            commands = self._issue_commands(copier)
        self._sender.flush()
        self._new.check_events(copier.ends, copier.last)
        self._new.use_broker_time()
        late_events = self._send_all(copier.late_events())
        open_letters = self._send_all(self._open_letters(letters))
        self._sender.flush()
        self._new.finish(self._sender, copier.ends)
        return Copied(
            partitions=self._target.partitions,
            events=copier.copied,
            versions=versions,
            sessions=sessions,
            rows=rows,
            commands=commands,
            late_events=late_events,
            dead_letters_before=copier.dead_letters_before,
            refused=copier.refused,
            open_letters=open_letters,
            seconds=round(time.monotonic() - started, 1),
        )

    def _copier(
        self, log: SourceLog, letters: Sequence[StoredLetter], folded: Sequence[FoldedPartition]
    ) -> EventCopier:
        events = Topology(self._source.namespace).events
        refused = RefusedEvents((each.letter for each in letters), events, is_mirror=self._is_mirror)
        return EventCopier(
            self._names,
            self._sender,
            folded,
            log.decoder,
            refused,
            is_mirror=self._is_mirror,
            source_partitions=log.partitions,
        )

    def _write_rows(self, folded: Sequence[FoldedPartition]) -> tuple[int, int]:
        """Writes the changelog, and returns the number of sessions and of rows."""
        sessions = rows = 0
        for partition, each in enumerate(folded):
            for key, row in each.rows():
                self._sender.send(BulkRecord(self._names.changelog, partition, key, row))
                rows += 1
                sessions += key.startswith(HEADERS)
        return sessions, rows

    def _issue_commands(self, copier: EventCopier) -> int:
        commands = list(copier.unfinished.remaining())
        self._new.create_queues(command.queue for command in commands if command.queue is not None)
        for command in commands:
            key = command.session.encode()
            partition = partition_of(key, self._target.partitions)
            topic = self._names.commands_of(command.queue)
            self._sender.send(BulkRecord(topic, partition, key, encode_command(command)))
        return len(commands)

    def _open_letters(self, letters: Sequence[StoredLetter]) -> Iterator[BulkRecord]:
        """Yields the dead letters that an operator has not handled. A redrive goes to the new topic."""
        events = Topology(self._source.namespace).events
        still_open = (each.letter for each in letters if each.state == OPEN)
        for letter in letters_about(still_open, events, is_mirror=self._is_mirror):
            moved = replace(letter, topic=self._names.events, offset=NO_OFFSET)
            partition = partition_of(letter.key or b"", self._target.partitions)
            yield BulkRecord(self._names.dead_letters, partition, letter.key, encode_dead_letter(moved))

    def _send_all(self, records: Iterable[BulkRecord]) -> int:
        number = 0
        for record in records:
            self._sender.send(record)
            number += 1
        return number


def _copy_events(log: SourceLog, copier: EventCopier, on_progress: Callable[[int, int], None]) -> int:
    """Copies all events and returns the number of versions of rules between them."""
    versions = 0
    for number, item in enumerate(log.read(), 1):
        if isinstance(item, PublishedCopy):
            copier.publish(item)
            versions += 1
        elif item.key() or not is_publication(item):  # the copies of a version are one item
            copier.copy(item)
        if number % _REPORTED_EVERY == 0:
            on_progress(number, log.size)
    return versions
