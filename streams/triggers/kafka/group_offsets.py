"""Reads and writes the committed offsets of a consumer group without joining it, and asks for its members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import admin_client, client_options, unavailable
from triggers.kafka.repeated_calls import repeat_while_electing
from triggers.settings import Settings

_TIMEOUT_S: Final = 20.0


def read_group_offsets(settings: Settings, group: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Returns the committed offset of each partition that has one. Blocks. Raises BrokerUnavailable."""
    asked = [TopicPartition(topic, partition) for partition in partitions]
    try:
        with closing(_consumer(settings, group)) as consumer:
            answers = repeat_while_electing(lambda: _committed(consumer, asked), _TIMEOUT_S)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    return {tp.partition: tp.offset for tp in answers if tp.offset >= 0}


def write_group_offsets(settings: Settings, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Commits offsets for a group that has no members. Blocks. Raises BrokerUnavailable, also if it has members."""
    wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
    try:
        with closing(_consumer(settings, group)) as consumer:
            repeat_while_electing(lambda: _commit(consumer, wanted), _TIMEOUT_S)
    except KafkaException as error:
        raise unavailable(settings, error) from error


def members_of_groups(settings: Settings, groups: Iterable[str]) -> list[str]:
    """Returns the client ids of the members of these groups. Blocks. Raises BrokerUnavailable."""
    admin = admin_client(settings)  # the futures do not keep it alive
    try:
        return repeat_while_electing(lambda: _members(admin, list(groups)), _TIMEOUT_S)
    except KafkaException as error:
        raise unavailable(settings, error) from error


def _members(admin: AdminClient, groups: list[str]) -> list[str]:
    described = admin.describe_consumer_groups(groups, request_timeout=_TIMEOUT_S)
    return sorted(member.client_id for each in described.values() for member in each.result().members)


def _consumer(settings: Settings, group: str) -> Consumer:
    return Consumer(client_options(settings, ClientKind.CONSUMER, {"group.id": group, "enable.auto.commit": False}))


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    return _without_errors(consumer.committed(partitions, timeout=_TIMEOUT_S))


def _commit(consumer: Consumer, offsets: list[TopicPartition]) -> list[TopicPartition]:
    return _without_errors(consumer.commit(offsets=offsets, asynchronous=False) or [])


def _without_errors(partitions: list[TopicPartition]) -> list[TopicPartition]:
    for partition in partitions:
        if partition.error is not None:  # an unknown offset must not be taken for a missing one
            raise KafkaException(partition.error)
    return partitions
