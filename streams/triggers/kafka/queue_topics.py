"""`BrokerQueues`: which queues have a topic of commands, according to the brokers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from triggers.errors import SettingsError, TryAgain
from triggers.kafka.bounded_call import CallHung, call_within
from triggers.kafka.connection import admin_client
from triggers.kafka.error_codes import NO_TOPIC, is_transient
from triggers.kafka.installed_topics import RECORD_OVERHEAD
from triggers.kafka.worker_options import CRITICAL_LOG
from triggers.settings import Settings
from triggers.topology import Topology

MISSING_FOR_S: Final = 0.1
"""Time for which a missing topic is not asked for again. A burst of commands to it costs ten questions per second."""
_SILENT_FOR_S: Final = 60.0
"""Time without a command to it after which a missing topic is logged again."""
_TIMEOUT_S: Final = 5.0
_HANGS_AFTER_S: Final = 12.0
"""Longer than both requests may take. A worker is blocked meanwhile."""

_UNDECIDED: Final = frozenset({KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.NOT_CONTROLLER})
"""Answers to a creation after which the topic may exist. Other refusals mean that it does not."""

log = structlog.get_logger(__name__)


class BrokerQueues:
    """Finds the topics of queues. Not thread-safe.

    A topic that was found is not asked for again until `forget`. A topic counts as missing only if the controller says
    so, because the broker that is asked first may not know a new topic yet.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._names = Topology(settings.namespace)
        self._now = now
        self._admin: AdminClient | None = None
        self._found: dict[str, int] = {}
        self._missing: dict[str, float] = {}

    def find_limit(self, queue: str) -> int | None:
        """Returns the maximum size of a record of the queue's topic, or None if the queue has no topic.

        Blocks for at most 12 s if the answer is not known yet. Raises TryAgain if no broker answers in time, or if the
        brokers do not agree yet.
        """
        limit = self._found.get(queue)
        if limit is not None:
            return limit
        missing_at = self._missing.get(queue)
        if missing_at is not None and self._now() < missing_at + MISSING_FOR_S:
            return None
        topic = self._names.commands_of(queue)
        try:
            limit = call_within(_HANGS_AFTER_S, lambda: self._ask(topic))
        except CallHung:
            self._admin = None
            raise TryAgain(f"{topic}: a call to {self._settings.shown_brokers} hangs") from None
        self._remember(queue, topic, limit)
        return limit

    def read_again(self) -> dict[str, int]:
        """Asks again for all topics that were found, and returns the limits of those for which a broker answers.

        Blocks as `find_limit` does, for each of them.
        """
        queues = list(self._found)
        self._found.clear()
        with suppress(TryAgain):
            for queue in queues:
                self.find_limit(queue)
        return dict(self._found)

    def forget(self) -> None:
        """Forgets which topics exist, because a transaction that wrote to them was refused."""
        self._found.clear()

    def _remember(self, queue: str, topic: str, limit: int | None) -> None:
        if limit is not None:
            self._found[queue] = limit
            self._missing.pop(queue, None)
            return
        if queue not in self._missing:
            log.warning("a queue has no topic; its commands fail", queue=queue, topic=topic)
        self._missing = {name: at for name, at in self._missing.items() if self._now() < at + _SILENT_FOR_S}
        self._missing[queue] = self._now()

    def _ask(self, topic: str) -> int | None:
        admin = self._admin = self._admin or self._connect()
        resource = ConfigResource(ResourceType.TOPIC, topic)
        try:
            config = admin.describe_configs([resource], request_timeout=_TIMEOUT_S)[resource].result()
        except KafkaException as error:
            if error.args[0].code() in NO_TOPIC:
                self._confirm_missing(admin, topic)
            elif is_transient(error.args[0]):
                raise _not_now(topic, error.args[0]) from error
            return None  # missing, or this worker has no permission to see it
        return int(config["max.message.bytes"].value) - RECORD_OVERHEAD

    def _connect(self) -> AdminClient:
        """Returns a new client. A file of a secret that is just being replaced is no reason to refuse an event."""
        try:
            return admin_client(self._settings, CRITICAL_LOG)
        except SettingsError as error:
            raise TryAgain(str(error)) from error

    def _confirm_missing(self, admin: AdminClient, topic: str) -> None:
        """Asks the controller by a creation that it only validates. Raises TryAgain unless the topic is missing."""
        creation = admin.create_topics([NewTopic(topic, 1)], request_timeout=_TIMEOUT_S, validate_only=True)
        try:
            creation[topic].result()
        except KafkaException as error:
            if error.args[0].code() in _UNDECIDED or is_transient(error.args[0]):
                raise _not_now(topic, error.args[0]) from error


def _not_now(topic: str, error: KafkaError) -> TryAgain:
    return TryAgain(f"whether the topic {topic} exists is not known yet: {error.str()}")
