"""`NewInstallation`: the topics into which an installation is copied, which must not exist before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaException

from triggers.errors import CallError
from triggers.kafka.bulk_sender import BulkRecord, BulkSender
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.denials import check_permissions
from triggers.kafka.group_offsets import read_group_offsets, write_group_offsets
from triggers.kafka.permissions import Process
from triggers.kafka.range_reads import read_range, watermarks
from triggers.kafka.topic_configs import set_topic_config
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology

_TIMEOUT_S: Final = 20.0
_COPYING: Final = b"__triggers\0copying"
"""Key of a row that is in every partition of the changelog during the copy.

A worker that is started too early finds it, and no committed offset beside it, and ends with the code 78.
"""
_TIMESTAMPS: Final = "message.timestamp.type"


class NewInstallation:
    """Topics that are being filled. All methods block and raise BrokerUnavailable."""

    def __init__(self, settings: Settings, retention_days: int) -> None:
        self._settings = settings
        self._retention_days = retention_days
        self._names = Topology(settings.namespace)

    def begin(self, sender: BulkSender) -> None:
        """Creates the topics. The events keep the timestamps with which they are sent. Raises CallError if one exists.

        Until `finish` is called, no worker can start there.
        """
        admin = admin_client(self._settings)
        try:
            topics = admin.list_topics(timeout=_TIMEOUT_S).topics
        except KafkaException as error:
            raise unavailable(self._settings, error) from error
        if existing := sorted(name for name in topics if name.startswith(f"{self._names.namespace}.")):
            raise CallError(
                f"{', '.join(existing)}: a copy needs a namespace without topics. Choose another --namespace, or delete"
                " these if they are left from a copy that was interrupted"
            )
        if read_group_offsets(self._settings, self._names.agents, self._names.events, range(self._settings.partitions)):
            raise CallError(f"the group {self._names.agents} has committed offsets: delete it, or choose another name")
        create_topics(self._settings, self._retention_days, configs={self._names.events: {_TIMESTAMPS: "CreateTime"}})
        if self._settings.is_secured:  # brokers say little about topics that do not exist
            check_permissions(self._settings, Process.COPY)
        for partition in range(self._settings.partitions):
            sender.send(BulkRecord(self._names.changelog, partition, _COPYING, b"1"))
        sender.flush()

    def create_queues(self, queues: Iterable[str]) -> None:
        """Creates the topics of the queues that are missing."""
        if names := sorted(set(queues)):
            create_topics(self._settings, self._retention_days, names)

    def check_events(self, ends: Mapping[int, int], last: Mapping[int, BulkRecord]) -> None:
        """Checks that the events have the offsets that were counted for them, and their own timestamps.

        `ends` has the end offset of each partition, and `last` its last record, if it has one. All events must be
        acknowledged. Nobody can have written between them if each partition has as many records as were sent to it, and
        ends with the last one. Raises CallError.
        """
        events = self._names.events
        for partition, (first, end) in watermarks(self._settings, events, list(ends)).items():
            if (first, end) != (0, ends[partition]):
                raise _foreign_records(events, partition, f"offsets {first} to {end}, not 0 to {ends[partition]}")
        starts = {partition: ends[partition] - 1 for partition in last}
        for message in read_range(self._settings, events, starts):
            partition = message.partition() or 0
            sent = last[partition]
            if (message.key(), message.value()) != (sent.key, sent.value):
                raise _foreign_records(events, partition, f"an unknown record at offset {message.offset()}")
            if sent.time and message.timestamp() != (TIMESTAMP_CREATE_TIME, sent.time):
                raise CallError(f"{events} does not keep timestamps (message.timestamp.type)")

    def use_broker_time(self) -> None:
        """Lets the broker stamp the events from now on, as `topics check` wants it."""
        admin = admin_client(self._settings)
        try:
            set_topic_config(admin, self._names.events, _TIMESTAMPS, "LogAppendTime", _TIMEOUT_S)
        except KafkaException as error:
            raise unavailable(self._settings, error) from error

    def finish(self, sender: BulkSender, ends: Mapping[int, int]) -> None:
        """Commits up to where the events are applied, so that workers can start."""
        write_group_offsets(self._settings, self._names.agents, self._names.events, ends)
        for partition in ends:
            sender.send(BulkRecord(self._names.changelog, partition, _COPYING, None))
        sender.flush()


def _foreign_records(topic: str, partition: int, found: str) -> CallError:
    return CallError(
        f"{topic}/{partition} has {found}: another process writes to the topic. Stop it, delete the topics of the new"
        " namespace, and repeat the command"
    )
