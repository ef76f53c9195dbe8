"""`Owners`: finds the worker that owns a partition of the events, by describing the workers' consumer group."""

from __future__ import annotations

import threading

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription

from triggers.codec import encode_key
from triggers.errors import OwnerUnavailable
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.per_process import PerProcess
from triggers.kafka.topics import partition_count as count_partitions
from triggers.settings import Settings
from triggers.topology import Topology, partition_of


class Owners:
    """The URLs of the workers by partition, which are cached until `forget_owners` is called.

    Thread-safe, and usable before and after a fork.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = Topology(settings.namespace)
        self._timeout_s = settings.read_timeout_s
        self._admins: PerProcess[AdminClient] = PerProcess(lambda: admin_client(settings))
        self._partitions = 0
        self._urls: dict[int, str] = {}
        self._lock = threading.Lock()

    def partition_of_session(self, uid: str) -> int:
        """Returns the partition of a session. Blocks on first use.

        Raises CallError for an invalid UID, OwnerUnavailable if the topic is missing, and BrokerUnavailable.
        """
        return partition_of(encode_key(uid), self.partition_count())

    def url_of_owner(self, partition: int) -> str:
        """Returns the URL of the worker that owns the partition. Blocks on first use.

        Raises OwnerUnavailable if no worker owns it, and BrokerUnavailable.
        """
        urls = self._owner_urls()
        if partition not in urls:
            self.forget_owners()
            detail = f"partition {partition} has no owner in group {self._names.agents}"
            raise OwnerUnavailable(f"{detail}: start a worker, or wait for the rebalance")
        return urls[partition]

    def urls_of_workers(self) -> list[str]:
        """Returns the URLs of all workers. Raises OwnerUnavailable if a partition has no owner; BrokerUnavailable."""
        return sorted({self.url_of_owner(partition) for partition in range(self.partition_count())})

    def urls_by_partition(self) -> dict[int, str]:
        """Returns the URL of the worker of each partition that has one. Raises BrokerUnavailable."""
        return dict(self._owner_urls())

    def forget_owners(self) -> None:
        """Discards the cached URLs, so that the next call asks Kafka again."""
        self._urls = {}

    def partition_count(self) -> int:
        """Returns the number of partitions of the events. Blocks on first use. Raises like `partition_of_session`."""
        if not self._partitions:
            try:
                self._partitions = count_partitions(self._admins.get(), self._names.events, self._timeout_s)
            except KafkaException as error:
                raise unavailable(self._settings, error) from error
        if not self._partitions:
            raise OwnerUnavailable(f"there is no topic {self._names.events}: run `triggers topics create`")
        return self._partitions

    def _owner_urls(self) -> dict[int, str]:
        urls = self._urls
        if not urls:
            urls = self._urls = self._fetch_owners()
        return urls

    def _fetch_owners(self) -> dict[int, str]:
        group = self._names.agents
        try:
            described = self._admins.get().describe_consumer_groups([group], request_timeout=self._timeout_s)
            return _urls(described[group].result(), self._names.events)
        except KafkaException as error:
            raise unavailable(self._settings, error) from error


def _urls(group: ConsumerGroupDescription, topic: str) -> dict[int, str]:
    """Returns the workers' URLs by partition. The client id of a worker is `<worker_id>@<url>`."""
    return {
        assigned.partition: member.client_id.partition("@")[2]
        for member in group.members
        for assigned in member.assignment.topic_partitions
        if assigned.topic == topic and "@" in member.client_id
    }
