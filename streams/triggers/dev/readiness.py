"""Checks whether all processes of the stack are ready."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription

from triggers.kafka.connection import admin_client
from triggers.kafka.topics import existing_queues
from triggers.settings import Settings
from triggers.topology import Queue, Topology

_ANSWER_S = 2.0


class Readiness:
    """Checks workers, the API and the console by HTTP on their ports, and Celery workers by their consumer group."""

    def __init__(self, settings: Settings, ports: Sequence[int], celery_workers: int, apps: int = 1) -> None:
        """`celery_workers` is the number of Celery workers of each of the apps."""
        self._settings = settings
        self._ports = ports
        self._celery_workers = celery_workers * apps
        self._combine = max if apps == 1 else sum  # the workers of one app may be members of several groups
        self._admin: AdminClient = admin_client(settings)

    @property
    def is_complete(self) -> bool:
        """True if all ports answer and all Celery workers have joined their group. Blocks for some seconds at most."""
        return all(map(_ready, self._ports)) and self._executors() >= self._celery_workers

    def _executors(self) -> int:
        if not self._celery_workers:
            return 0
        names = Topology(self._settings.namespace)
        try:
            queues: list[Queue] = [None, *existing_queues(self._settings, self._admin)]
            groups = [names.executors_of(queue) for queue in queues]
            described = self._admin.describe_consumer_groups(groups, request_timeout=_ANSWER_S)
            return self._combine([_members(future.result()) for future in described.values()])
        except KafkaException:  # a group's coordinator is not elected yet
            return 0


def _members(group: ConsumerGroupDescription) -> int:
    return sum(bool(member.assignment.topic_partitions) for member in group.members)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=_ANSWER_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
