"""`SourceLog`: the events of an installation in an order in which they may be written to any other partitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from confluent_kafka import KafkaException, Message

from triggers.client.schema_registry import event_decoder
from triggers.codec import NO_LIMIT, EventDecoder
from triggers.core.events import RulesPublished
from triggers.errors import CallError, Undecodable
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.range_reads import partition_starts, read_range
from triggers.kafka.records import Record, headers_of
from triggers.kafka.topics import partition_count
from triggers.recovery.installation_checks import read_bounds
from triggers.recovery.published_copies import PublishedCopy, cut_into_segments
from triggers.settings import Settings
from triggers.topology import Topology

Item = Message | PublishedCopy
"""An event, or a version of rules that comes before the next events on all partitions."""


class SourceLog:
    """The events topic of an installation that nobody works on. All methods block and raise BrokerUnavailable."""

    def __init__(self, settings: Settings) -> None:
        """Raises CallError if a transaction is open, so that the log cannot be read to its end."""
        self._settings = settings
        self._names = Topology(settings.namespace)
        self._bounds = read_bounds(settings, self._names.events)
        self.decoder = event_decoder(settings)

    @property
    def partitions(self) -> int:
        """The number of its partitions."""
        return len(self._bounds)

    @property
    def size(self) -> int:
        """The number of its offsets, transaction markers included."""
        return sum(end - first for first, end in self._bounds.values())

    def read(self) -> Iterator[Item]:
        """Yields all events, in the order of each partition, and the versions of rules between them.

        Raises CallError if the copies of the rules do not fit together.
        """
        published = self._published()
        copies = self._copies() if published else {}
        for segment in cut_into_segments(self._bounds, copies, published):
            yield from read_range(self._settings, self._names.events, segment.starts, ends=segment.ends)
            if segment.publishes is not None:
                yield segment.publishes

    def check_unchanged(self) -> None:
        """Raises CallError if somebody has written to the topic since this object was made."""
        now = read_bounds(self._settings, self._names.events)
        if grown := [p for p, (_, end) in self._bounds.items() if now[p][1] != end]:
            raise CallError(
                f"{self._names.events}/{grown[0]} has got new events while it was copied: stop everything that fires"
                " triggers, delete the topics of the new namespace, and repeat the command"
            )

    def _published(self) -> list[PublishedCopy]:
        """Returns all versions in the order of their publication, from the topic of the rules."""
        try:
            if not partition_count(admin_client(self._settings), self._names.rules):
                return []
        except KafkaException as error:
            raise unavailable(self._settings, error) from error
        starts = partition_starts(self._settings, self._names.rules)
        messages = read_range(self._settings, self._names.rules, starts)
        return [PublishedCopy(event, message) for message in messages if (event := _rules_of(message))]

    def _copies(self) -> dict[int, list[PublishedCopy]]:
        """Returns the first copy of each version on each partition."""
        copies: defaultdict[int, dict[tuple[str, int], PublishedCopy]] = defaultdict(dict)
        starts = {partition: first for partition, (first, _) in self._bounds.items()}
        for message in read_range(self._settings, self._names.events, starts):
            if not message.key() and (event := _rules_of(message)) is not None:
                copy = PublishedCopy(event, message)
                copies[message.partition() or 0].setdefault(copy.version, copy)
        return {partition: list(by_version.values()) for partition, by_version in copies.items()}


_DECODER = EventDecoder(NO_LIMIT)


def is_publication(message: Message) -> bool:
    """Returns whether a record publishes rules."""
    return _rules_of(message) is not None


def _rules_of(message: Message) -> RulesPublished | None:
    with suppress(Undecodable):
        headers = headers_of(cast("Record", message))
        event = _DECODER.decode(message.value(), headers, message.offset() or 0, message.timestamp()[1])
        return event if isinstance(event, RulesPublished) else None
    return None
