"""Checks whether an application's own Celery broker is suitable for workers or for the dispatcher."""

from __future__ import annotations

from typing import Any, Final

from triggers.celery.no_broker import URL
from triggers.errors import CallError

_LOSING: Final = {
    "memory": "a child that is killed can stop the whole pool, and .delay() inside a task is lost",
    "filesystem": "it loses the tasks of a killed worker",
    "sqlalchemy": "it loses the tasks of a killed worker",
    "sqla": "it loses the tasks of a killed worker",
    "sqlite": "it loses the tasks of a killed worker",
}


class UnsuitableBroker(CallError):
    """The app's Celery broker would lose tasks."""


def check_worker_broker(app: Any, *, has_event_loop: bool) -> None:
    """Raises UnsuitableBroker if workers that run commands from Kafka cannot use the app's broker."""
    scheme = _scheme(app)
    if scheme in _LOSING:
        raise UnsuitableBroker(f"broker_url is {scheme}://: {_LOSING[scheme]}. Without a broker, set {URL!r}.")
    if not has_event_loop:
        raise UnsuitableBroker(
            f"this worker has no event loop (broker {scheme}://, or an eventlet or gevent pool): use prefork, threads "
            f"or solo, and {URL!r}, Redis or RabbitMQ as broker_url."
        )


def check_durable_broker(app: Any) -> None:
    """Raises UnsuitableBroker if the dispatcher cannot send commands to the app's broker safely."""
    scheme = _scheme(app)
    if scheme == "none":
        raise UnsuitableBroker(
            "broker_url is none://: there is no broker to dispatch into. Set broker_url to your Redis or RabbitMQ, or "
            "run no dispatcher: a worker of an installed app takes the commands from Kafka itself."
        )
    if scheme in _LOSING:
        raise UnsuitableBroker(f"broker_url is {scheme}://: {_LOSING[scheme]}. Set it to your Redis or RabbitMQ.")


def _scheme(app: Any) -> str:
    """Returns the scheme of the first broker URL. A transport name, such as "amqp", counts as a scheme."""
    configured = app.conf.broker_write_url
    first: str = configured if isinstance(configured, str) else next(iter(configured or ()), "amqp")
    return first.partition(";")[0].partition(":")[0].partition("+")[0]
