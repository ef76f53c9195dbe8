"""Rebuilds the changelog of an installation from its events, or compares the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Final, cast

from confluent_kafka import Message
from msgspec import Struct
from msgspec.structs import replace

from triggers.client.dead_letters import read_letters
from triggers.client.published_rules import StreamRules
from triggers.client.schema_registry import event_decoder
from triggers.codec import decode_key
from triggers.core.events import Event, RulesPublished
from triggers.core.state.rows import HEADERS
from triggers.errors import CallError, NotFound, Undecodable
from triggers.kafka.bulk_sender import BulkRecord, BulkSender
from triggers.kafka.group_offsets import read_group_offsets
from triggers.kafka.range_reads import read_range
from triggers.kafka.records import Record, headers_of
from triggers.recovery.changelog_rows import read_changelog
from triggers.recovery.fold_files import folded_partitions, temporary_rows
from triggers.recovery.folded_partition import FoldedPartition, stored_rows
from triggers.recovery.installation_checks import check_nobody_works, read_bounds
from triggers.recovery.refused_events import RefusedEvents
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

_REPORTED_EVERY: Final = 5_000
Row = tuple[bytes, bytes]

_key = itemgetter(0)


class PartitionRebuilt(Struct, frozen=True, kw_only=True):
    """The result of the rebuild of one partition."""

    partition: int
    events: int
    """Number of events that were folded."""
    sessions: int
    rows: int
    different: int
    """Number of rows that were missing, wrong or superfluous in the changelog."""
    removed_before: int
    """First offset of the events if retention has removed earlier ones, otherwise 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOptions:
    """The options of a rebuild."""

    is_check: bool = False
    """True to write nothing."""
    accepts_removed: bool = False
    """True to continue although retention has removed the first events of a partition."""


def rebuild_changelog(
    settings: Settings,
    options: RebuildOptions,
    on_done: Callable[[PartitionRebuilt], None],
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[PartitionRebuilt]:
    """Makes the changelog equal to the fold of the events that the workers had applied. No worker may run.

    `on_done` is called after each partition, and `on_progress` now and then with the number of offsets that are done,
    and that of all offsets. Blocks for some 0.03 ms per event. Repeating it after an interruption is harmless.
    Raises CallError if workers run, if events are missing, or if the group has no offset for a partition.
    """
    names = Topology(settings.namespace)
    check_nobody_works(settings, executors=False)
    bounds = read_bounds(settings, names.events)
    if (rows := len(read_bounds(settings, names.changelog))) != len(bounds):
        raise CallError(
            f"{names.changelog} has {rows} partitions and {names.events} has {len(bounds)}: delete the changelog, and"
            " create it again with `triggers topics create` and the right TRIGGERS_PARTITIONS"
        )
    committed = read_group_offsets(settings, names.agents, names.events, bounds)
    for partition, (first, end) in bounds.items():
        _check_range(names, partition, (first, end), committed.get(partition), options)
    total = sum(max(committed.get(partition, first) - first, 0) for partition, (first, _) in bounds.items())
    rebuild = _Rebuild(settings, options, len(bounds), lambda done: on_progress(done, total))
    done = []
    for partition, (first, _) in bounds.items():
        done.append(rebuild.run(partition, first, committed.get(partition, first)))
        on_done(done[-1])
    return done


def _check_range(
    names: Topology, partition: int, bounds: tuple[int, int], committed: int | None, options: RebuildOptions
) -> None:
    first, end = bounds
    where = f"{names.events}/{partition}"
    if committed is None and end > first:
        raise CallError(
            f"{names.agents} has no committed offset for {where}, so it is not known which events were applied: copy"
            " the installation to a new namespace with `triggers copy`, which applies all of them"
        )
    if committed is not None and committed > end:
        raise CallError(
            f"{where} ends at {end}, but events up to {committed} were applied: they are lost, and with them what they"
            " changed. Keep the changelog if you have it; it has their effects"
        )
    if first > 0 and not options.accepts_removed:
        raise CallError(
            f"{where} begins at offset {first}: retention has removed the events before it, so sessions that began"
            " with them would be wrong. If you accept that, add --accept-removed"
        )


class _Rebuild:
    """A rebuild, partition by partition, so that only one of them needs space on the disk."""

    def __init__(
        self, settings: Settings, options: RebuildOptions, partitions: int, on_progress: Callable[[int], None]
    ) -> None:
        self._settings = settings
        self._on_progress = on_progress
        self._before = 0
        """Offsets of the partitions that are done."""
        self._names = Topology(settings.namespace)
        self._options = options
        self._partitions = partitions
        self._decoder = event_decoder(settings)
        letters = (stored.letter for stored in read_letters(settings))
        self._refused = RefusedEvents(letters, self._names.events)
        self._published = StreamRules(settings).publications()
        self._sender = BulkSender(settings)

    def run(self, partition: int, first: int, committed: int) -> PartitionRebuilt:
        """Folds the events of a partition before the committed offset, and corrects its part of the changelog."""
        with folded_partitions(1) as [folded], temporary_rows("stored") as stored:
            events = self._fold(folded, partition, first, committed)
            read_changelog(self._settings, self._names, partition, stored)
            sessions = rows = different = 0
            for key, _ in folded.rows():
                rows += 1
                sessions += key.startswith(HEADERS)
            for key, row in find_differences(folded.rows(), stored_rows(stored)):
                different += 1
                if not self._options.is_check:
                    self._sender.send(BulkRecord(self._names.changelog, partition, key, row))
            self._sender.flush()
        self._before += committed - first
        return PartitionRebuilt(
            partition=partition,
            events=events,
            sessions=sessions,
            rows=rows,
            different=different,
            removed_before=first,
        )

    def _fold(self, folded: FoldedPartition, partition: int, first: int, committed: int) -> int:
        """Folds the events and returns their number."""
        events = 0
        if committed > first and not self._options.is_check:
            folded.begin()  # otherwise a worker would refuse a partition that has markers and no records
        for message in read_range(self._settings, self._names.events, {partition: first}, ends={partition: committed}):
            folded.begin()
            if (offset := message.offset() or 0) % _REPORTED_EVERY == 0:
                self._on_progress(self._before + offset - first)
            if self._refused.match_next(cast("Record", message)):
                continue
            event = self._decode(message)
            if events == 0:
                self._publish_earlier(folded, event, first)
            events += 1
            if not message.key():
                _publish(folded, event)
            elif partition_of(message.key() or b"", self._partitions) == partition:
                _apply(folded, decode_key(message.key()), event)
        return events

    def _decode(self, message: Message) -> Event:
        """Decodes an event that a worker has applied. Raises CallError if that is not possible here."""
        headers = headers_of(cast("Record", message))
        try:
            return self._decoder.decode(message.value(), headers, message.offset() or 0, message.timestamp()[1])
        except Undecodable as error:
            raise CallError(
                f"{message.topic()} {message.partition()}/{message.offset()}: {error.reason}: {error.detail}. Workers"
                " have applied this event, or their dead letters are lost; use their release and their settings"
            ) from error

    def _publish_earlier(self, folded: FoldedPartition, event: Event, first: int) -> None:
        """Publishes the rules whose copies retention has removed from the partition."""
        if first > 0:
            recorded = event.recorded or event.time
            for rules in self._published:
                if rules.time < recorded:
                    folded.publish(replace(rules, position=first - 1))


def _publish(folded: FoldedPartition, event: Event) -> None:
    if isinstance(event, RulesPublished):
        with suppress(CallError):  # it became a dead letter
            folded.publish(event)


def _apply(folded: FoldedPartition, uid: str, event: Event) -> None:
    """Applies an event, unless the core refuses it, as it did when the event became a dead letter."""
    with suppress(CallError, NotFound):
        folded.apply(uid, event)


def find_differences(folded: Iterable[Row], stored: Iterable[Row]) -> Iterator[tuple[bytes, bytes | None]]:
    """Yields what must be written so that the stored rows become the folded ones; None deletes a row.

    Both are in the order of their keys.
    """
    theirs = ((key, None, row) for key, row in stored)
    ours = ((key, row, None) for key, row in folded)
    for key, entries in groupby(merge(ours, theirs, key=_key), key=_key):
        pairs = list(entries)
        wanted = next((row for _, row, _ in pairs if row is not None), None)
        actual = next((row for *_, row in pairs if row is not None), None)
        if wanted != actual:
            yield key, wanted
