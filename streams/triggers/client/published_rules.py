"""`StreamRules`: publishes rules to every partition of the events, and reads what has been published."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException, Message

from triggers.codec import NO_LIMIT, EventDecoder, check_event, encode_event
from triggers.core.config import validate_configuration
from triggers.core.events import RulesPublished
from triggers.core.published_rules import ADOPT, next_version
from triggers.errors import CallError, NotFound, TopicMissing
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.range_reads import read_topic
from triggers.kafka.topics import existing_partitions
from triggers.kafka.transactional_sending import TransactionalRecord, send_in_transaction
from triggers.settings import Settings
from triggers.topology import Topology


class StreamRules:
    """The published rules of a namespace.

    Each version is one record on every partition of the events, and one on the topic of the rules, in one transaction.
    Sessions take rules only from their own partition, because its order decides. The topic of the rules is for
    publishers and people. All methods block and raise BrokerUnavailable; `publish` also does if that topic is missing.
    """

    def __init__(self, settings: Settings, source: str = "") -> None:
        """`source` names the publisher in each record, for people who read the topic."""
        self._settings = settings
        self._names = Topology(settings.namespace)
        self._source = source
        self._decoder = EventDecoder(NO_LIMIT)

    def publications(self) -> list[RulesPublished]:
        """Returns all versions of all rules, in the order in which they were published.

        An installation without the topic of the rules has none, because nobody can publish there.
        """
        try:
            return [self._decode(message) for message in read_topic(self._settings, self._names.rules)]
        except TopicMissing:
            return []

    def publish(self, event: RulesPublished) -> RulesPublished | None:
        """Publishes rules under the next version of their name, and returns what was published.

        Returns None, and publishes nothing, if that would repeat the newest version. So a call that raised
        BrokerUnavailable can be repeated. `event.version` is ignored.

        Raises CallError, InvalidConfiguration or TooLarge, and TryAgain if another process publishes at this moment.
        """
        published: list[RulesPublished] = []

        def prepare() -> Sequence[TransactionalRecord]:
            version = next_version(newest_of(self.publications(), event.name), event)
            if version is None:
                return ()
            validate_configuration(version.configuration)
            check_event(version, self._settings.max_payload_bytes)
            published.append(version)
            return self._records(version)

        send_in_transaction(self._settings, self._names.rules, prepare, reads=[(self._names.rules, 0)])
        return published[-1] if published else None

    def _records(self, event: RulesPublished) -> list[TransactionalRecord]:
        value = encode_event(event, self._source)
        copies = [TransactionalRecord(self._names.events, partition, None, value) for partition in self._partitions()]
        return [*copies, TransactionalRecord(self._names.rules, 0, f"{event.name}/{event.version}".encode(), value)]

    def _partitions(self) -> list[int]:
        try:
            return existing_partitions(self._settings, admin_client(self._settings), self._names.events)
        except KafkaException as error:
            raise unavailable(self._settings, error) from error

    def _decode(self, message: Message) -> RulesPublished:
        event = self._decoder.decode(message.value(), None, message.offset() or 0, message.timestamp()[1])
        if not isinstance(event, RulesPublished):
            raise TypeError(f"{message.topic()} {message.offset()} is a {type(event).__name__}, not published rules")
        return event


def newest_of(publications: Sequence[RulesPublished], name: str) -> RulesPublished | None:
    """Returns the newest version of the rules, or None if nobody has published that name."""
    return max((event for event in publications if event.name == name), key=lambda event: event.version, default=None)


def newest_versions(publications: Sequence[RulesPublished]) -> list[RulesPublished]:
    """Returns the newest version of each name, in the order of the names."""
    newest = {event.name: event for event in sorted(publications, key=lambda event: event.version)}
    return [newest[name] for name in sorted(newest)]


def versions_of(publications: Sequence[RulesPublished], name: str) -> list[RulesPublished]:
    """Returns all versions of the rules, the oldest first. Raises NotFound if nobody has published that name."""
    versions = sorted((event for event in publications if event.name == name), key=lambda event: event.version)
    if not versions:
        raise NotFound(f"nobody has published rules with the name {name!r:.300}; see `triggers rules list`")
    return versions


def find_version(versions: Sequence[RulesPublished], number: int | None) -> RulesPublished:
    """Returns one of the versions of `versions_of`; None stands for the newest. Raises NotFound."""
    newest = versions[-1]
    for event in versions:
        if event.version == (newest.version if number is None else number):
            return event
    raise NotFound(f"the rules {newest.name!r:.300} have no version {number}; the newest is {newest.version}")


def version_to_adopt(name: str, version: int, publications: Sequence[RulesPublished]) -> int:
    """Returns the number of a version that sessions can adopt. 0 means the newest one.

    Raises NotFound if nobody has published it, and CallError if all sessions adopt a later one anyway.
    """
    versions = versions_of(publications, name)
    number = find_version(versions, version or None).version
    later = [event.version for event in versions if event.version > number and event.existing == ADOPT]
    if later:
        raise CallError(
            f"rules {name!r:.300}: all sessions adopt version {max(later)} at their next event, so none can adopt"
            f" version {number}; publish the rules of version {number} again, as a new version"
        )
    return number
