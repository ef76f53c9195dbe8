"""`broker_url = "none://"`: a Celery app without a message broker, whose workers take their tasks from Kafka only.

Unlike `memory://` the transport keeps Celery's event loop, and with it one pipe per pool child. Under `memory://` all
children share one locked pipe: a child that is killed while idle takes the lock with it, and the pool stands still.
"""

from __future__ import annotations

from queue import Queue
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES, memory

from triggers.errors import TriggersError

URL: Final = "none://"


class NoCeleryBroker(TriggersError, RuntimeError):
    """The app has no Celery broker (none://): fire a trigger, or set broker_url to a broker of your own."""


class NoBrokerChannel(memory.Channel):  # type: ignore[misc]  # kombu carries no types
    """Celery's own control messages stay in the process; tasks are refused instead of swallowed."""

    queues: dict[str, Queue[Any]] = {}  # noqa: RUF012  # kombu's own layout: one for all channels of the process

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        headers = message.get("headers") or {}
        if "task" in headers:
            raise NoCeleryBroker(
                f"{headers['task']} cannot be sent: the app has no Celery broker (none://). "
                "Fire a trigger instead of .delay() or Celery's retry, or set broker_url to a broker of your own."
            )
        super()._put(queue, message, **kwargs)


class NoBroker(memory.Transport):  # type: ignore[misc]  # as above
    """The transport of `none://`."""

    Channel = NoBrokerChannel
    driver_type = "none"
    driver_name = "none"
    implements = memory.Transport.implements.extend(asynchronous=True)


def register() -> None:
    """Make `none://` known to kombu."""
    TRANSPORT_ALIASES["none"] = f"{__name__}:{NoBroker.__name__}"
