"""`NewInstallation`: the topics into which an installation is copied, which must not exist before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import KafkaException

from triggers.errors import CallError
from triggers.kafka.bulk_sender import BulkRecord, BulkSender
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.denials import check_permissions
from triggers.kafka.group_offsets import read_group_offsets, write_group_offsets
from triggers.kafka.permissions import Process
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
