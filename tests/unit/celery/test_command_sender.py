"""A command that no broker would take fails alone, and a broker that is away fails no command."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from confluent_kafka import Message
from kombu.exceptions import OperationalError

from triggers.celery.command_sender import CommandSender
from triggers.celery.command_source import Delivery
from triggers.celery.ledger import Ledger
from triggers.celery.result_publisher import ResultPublisher
from triggers.core.commands import RunTask
from triggers.core.events import Event, TaskFailed
from triggers.results.result_events import CommandName
from triggers.settings import Settings

COMMAND = RunTask(session="s1", instance="t_x#0", attempt=1, run="shop.render", kwargs=b'{"page":{"n":1}}')
DELIVERY = Delivery(Ledger(), Message(), 0, 0, 1)
AWAY = "redis://127.0.0.1:1"
"""A broker that nobody runs."""


class RecordingPublisher(ResultPublisher):
    """Keeps the results instead of publishing them."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.published: list[Event] = []

    def publish(self, name: CommandName, event: Event) -> None:
        assert name == CommandName(session="s1", instance="t_x#0", attempt=1)
        self.published.append(event)


def _router(error: type[Exception]) -> Any:  # noqa: ANN401  # Celery's routers are untyped
    def route(*_: object, **__: object) -> None:
        raise error("no tenant")

    return route


def _send(broker: str, **configuration: object) -> tuple[Exception | None, list[Event]]:
    app = Celery("unit", broker=broker, set_as_current=False)
    app.conf.update(**configuration)
    publisher = RecordingPublisher()
    return CommandSender(app, publisher).send(DELIVERY, COMMAND), publisher.published


BAD = {
    "a router raises": ({"task_routes": (_router(KeyError),)}, "no tenant"),
    "a router raises an error that brokers raise": ({"task_routes": (_router(OperationalError),)}, "no tenant"),
    "a router's database is away": ({"task_routes": (_router(ConnectionRefusedError),)}, "no tenant"),
    "a router cannot be imported": ({"task_routes": ("no.such.route",)}, "no"),
    "a queue is missing": (
        {"task_create_missing_queues": False, "task_routes": {"shop.*": {"queue": "nope"}}},
        "nope",
    ),
    "a serializer is unknown": ({"task_serializer": "nosuch"}, "nosuch"),
    "a compression is unknown": ({"task_compression": "nosuch"}, "nosuch"),
    "a protocol is unknown": ({"task_protocol": 3}, "3"),
}


@pytest.mark.parametrize("broker", ["memory://", AWAY])
@pytest.mark.parametrize(("configuration", "text"), BAD.values(), ids=BAD)
def test_a_command_that_cannot_be_sent_fails(broker: str, configuration: dict[str, object], text: str) -> None:
    error, published = _send(broker, **configuration)

    assert error is None
    assert [type(event) for event in published] == [TaskFailed]
    assert text in str(published[0])


def test_a_command_waits_for_an_unavailable_broker() -> None:
    error, published = _send(AWAY)

    assert error is not None
    assert published == []


def test_an_unavailable_result_backend_fails_no_command() -> None:
    error, published = _send("memory://", result_backend=AWAY)

    assert (error, published) == (None, [])


def test_a_command_that_the_broker_accepts_is_not_reported() -> None:
    assert _send("memory://") == (None, [])
