"""The transport of `broker_url = "none://"`: a Celery app without a message broker, which runs commands from Kafka.

Unlike `memory://`, it supports Celery's event loop, which uses one pipe per pool child. With `memory://`, all children
share one pipe and its lock. A child that is killed while idle never releases the lock, and the pool stops.
"""

from __future__ import annotations

from queue import Queue
from typing import Any, ClassVar, Final

from kombu.serialization import loads
from kombu.transport import TRANSPORT_ALIASES, memory

from triggers.celery.handovers import take_retry
from triggers.errors import TriggersError

URL: Final = "none://"


class NoCeleryBroker(TriggersError, RuntimeError):
    """A task cannot be sent, because the app has no Celery broker (none://)."""


class NoBrokerChannel(memory.Channel):
    """Keeps Celery's control messages in the process, and raises NoCeleryBroker for tasks instead of losing them.

    A retry of a running command is not refused, because the engine carries it out.
    """

    queues: ClassVar[dict[str, Queue[Any]]] = {}  # as in kombu, all channels of the process share it

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        headers = message.get("headers") or {}
        if "task" not in headers:
            super()._put(queue, message, **kwargs)
        elif not take_retry(headers, self._arguments(message)):
            raise NoCeleryBroker(
                f"{headers['task']} cannot be sent: the app has no Celery broker (none://). Fire a trigger instead of "
                ".delay(), a canvas, self.replace() or a retry with other arguments, or set broker_url to a broker of "
                "your own."
            )

    def _arguments(self, message: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Returns the positional and the keyword arguments of a task's message."""
        encoded = self.decode_body(message["body"], message["properties"].get("body_encoding"))
        content = message["content-type"], message["content-encoding"]
        positional, keywords, _ = loads(encoded, *content, accept={content[0]})
        return list(positional), dict(keywords)


class NoBroker(memory.Transport):
    """The transport of `none://`."""

    Channel = NoBrokerChannel
    driver_type = "none"
    driver_name = "none"
    implements = memory.Transport.implements.extend(asynchronous=True)
    default_connection_params: ClassVar[dict[str, object]] = {}
    """Without a default host, kombu does not warn at each start that none was given."""


def register() -> None:
    """Registers `none://` with kombu. Idempotent."""
    TRANSPORT_ALIASES["none"] = f"{__name__}:{NoBroker.__name__}"
