"""Reads and changes the configurations of topics."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType


def read_topic_configs(admin: AdminClient, topics: Sequence[str], timeout_s: float) -> dict[str, dict[str, str]]:
    """Returns topic -> name -> value; a setting without a value is an empty text. Blocks. Raises KafkaException."""
    if not topics:
        return {}
    described = admin.describe_configs(
        [ConfigResource(ResourceType.TOPIC, topic) for topic in topics], request_timeout=timeout_s
    )
    return {
        resource.name: {name: entry.value or "" for name, entry in future.result().items()}
        for resource, future in described.items()
    }


def set_topic_config(admin: AdminClient, topic: str, name: str, value: str, timeout_s: float) -> None:
    """Changes one setting of a topic. Blocks. Raises KafkaException."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource], request_timeout=timeout_s).values():
        future.result()
