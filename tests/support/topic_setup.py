"""The topics of a test's installation."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from triggers.settings import Settings
from triggers.topology import Topology


def create_topics(
    settings: Settings, *, changelog_partitions: int | None = None, limits: dict[str, int] | None = None
) -> Topology:
    """Create the four topics and wait until they are there; `limits`: topic -> max.message.bytes."""
    names = Topology(settings.namespace)
    counts = {
        names.events: settings.partitions,
        names.commands: settings.partitions,
        names.dead_letters: 1,
        names.changelog: changelog_partitions or settings.partitions,
    }
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    topics = [NewTopic(topic, n, 1, config=_config(topic, names, limits or {})) for topic, n in counts.items()]
    for future in admin.create_topics(topics).values():
        future.result(timeout=30)
    return names


def _config(topic: str, names: Topology, limits: dict[str, int]) -> dict[str, str]:
    config = {"cleanup.policy": "compact"} if topic == names.changelog else {}
    if topic in limits:
        config["max.message.bytes"] = str(limits[topic])
    return config
