"""Creates the topics of a test's installation."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription
from confluent_kafka.cimpl import NewTopic
from tests.support.topic_reader import wait_until

from triggers.kafka.error_codes import NO_TOPIC
from triggers.settings import Settings
from triggers.topology import Topology


def create_topics(
    settings: Settings,
    *,
    changelog_partitions: int | None = None,
    limits: dict[str, int] | None = None,
    queues: Iterable[str] = (),
    decisions: bool = False,
    has_append_times: bool = True,
) -> Topology:
    """Creates the topics and waits until they have leaders. `limits` maps topics to `max.message.bytes`.

    `queues` get topics of commands of their own, and `decisions` creates the topic of the decision feed. Without append
    times, the producers of events say when these came into the log, however long ago that was.
    """
    names = Topology(settings.namespace)
    counts = {
        names.events: settings.partitions,
        names.commands: settings.partitions,
        names.dead_letters: 1,
        names.changelog: changelog_partitions or settings.partitions,
        names.rules: 1,
        names.jobs: 1,
    }
    counts |= {names.commands_of(queue): settings.partitions for queue in queues}
    if decisions:
        counts[names.decisions] = settings.partitions
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    configs = {topic: _config(topic, names, limits or {}) for topic in counts}
    if not has_append_times:
        configs[names.events] |= {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    topics = [NewTopic(topic, n, 1, config=configs[topic]) for topic, n in counts.items()]
    for future in admin.create_topics(topics).values():
        future.result(timeout=30)
    wait_until(lambda: topics_without_leader(admin, counts) == [], "every partition has a leader")
    return names


def topics_without_leader(admin: AdminClient, counts: dict[str, int]) -> list[str]:
    """Returns the topics with a partition without a leader. A broker answers before it knows all of them.

    It asks for these topics only, because a run has thousands.
    """
    described = admin.describe_topics(TopicCollection(list(counts)), request_timeout=30)
    return [topic for topic, count in counts.items() if _leaders(described[topic]) < count]


def _leaders(described: Future[TopicDescription]) -> int:
    try:
        partitions = described.result().partitions
    except KafkaException as error:
        if error.args[0].code() not in NO_TOPIC:
            raise
        return 0
    return sum(each.leader is not None and each.leader.id >= 0 for each in partitions)


def _config(topic: str, names: Topology, limits: dict[str, int]) -> dict[str, str]:
    config = {"cleanup.policy": "compact"} if topic in {names.changelog, names.rules} else {}
    if topic == names.events:
        config["message.timestamp.type"] = "LogAppendTime"
    if topic in limits:
        config["max.message.bytes"] = str(limits[topic])
    return config
