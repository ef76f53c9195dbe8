"""Checks the topics, their configurations and the timestamps of their records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from triggers.doctor.findings import MAX_CLOCK_DIFFERENCE_S, DoctorVerdict, Finding
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.topic_configs import read_topic_configs
from triggers.kafka.topics import check_topics, existing_partitions
from triggers.settings import Settings
from triggers.topology import Topology

_TIMEOUT_S: Final = 10.0
_TYPE: Final = "message.timestamp.type"


def check_topic_configurations(settings: Settings, retention_days: int) -> Iterator[Finding]:
    """Yields a problem for each difference from the topics of `triggers topics create`. Blocks.

    This covers partitions, replicas, retention, compaction, size limits and `min.insync.replicas`. Raises
    BrokerUnavailable.
    """
    problems = check_topics(settings, retention_days)
    for each in problems:
        yield Finding("topics", DoctorVerdict.PROBLEM, f"{each.topic} {each.problem}", each.fix)
    if not problems:
        yield Finding("topics", DoctorVerdict.OK, f"those of the namespace {settings.namespace} are as planned")


def check_timestamps(settings: Settings) -> Iterator[Finding]:
    """Checks whether producers set the timestamps of events, and whether one is in the future. Blocks.

    Timers count from these timestamps, so an event from the future delays them. Raises BrokerUnavailable.
    """
    names, admin = Topology(settings.namespace), admin_client(settings)
    try:
        kind = read_topic_configs(admin, [names.events], _TIMEOUT_S)[names.events].get(_TYPE, "CreateTime")
        partitions = [TopicPartition(names.events, p) for p in existing_partitions(settings, admin, names.events)]
        latest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]  # confluent-kafka has no type for it
        newest = admin.list_offsets(dict.fromkeys(partitions, latest), request_timeout=_TIMEOUT_S)
        ahead_s = max((future.result().timestamp for future in newest.values()), default=-1) / 1000 - time.time()
    except KafkaException as error:
        raise unavailable(settings, error) from error
    who = "the brokers" if kind == "LogAppendTime" else "producers"
    if ahead_s > MAX_CLOCK_DIFFERENCE_S:
        fix = "set the clocks of producers and brokers by a time service; `triggers export` shows the event"
        yield Finding("timestamps", DoctorVerdict.WARNING, f"an event of {who} is {ahead_s:.0f} s in the future", fix)
    else:
        yield Finding("timestamps", DoctorVerdict.OK, f"{kind}: {who} stamp events, none in the future")
