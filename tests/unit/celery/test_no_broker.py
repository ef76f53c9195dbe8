"""A Celery app without a broker says so instead of losing tasks."""

from __future__ import annotations

import pytest
from celery import Celery

from triggers.celery import install, no_broker
from triggers.celery.brokers import UnsuitableBroker, check_durable_broker, check_worker_broker
from triggers.settings import Settings

SETTINGS = Settings()


def _app(broker_url: str | None = None) -> Celery:
    app = Celery("unit", set_as_current=False)
    if broker_url:
        app.conf.broker_url = broker_url
    install(app, SETTINGS)
    return app


def test_an_app_without_a_broker_gets_no_default_broker() -> None:
    assert _app().conf.broker_url == no_broker.URL


def test_an_app_with_a_broker_keeps_it() -> None:
    assert _app("redis://elsewhere/3").conf.broker_url == "redis://elsewhere/3"


def test_an_app_that_chooses_its_broker_later_keeps_it() -> None:
    app = Celery("unit", set_as_current=False)
    install(app, SETTINGS)
    app.conf.broker_url = "redis://elsewhere/3"

    assert app.conf.broker_url == "redis://elsewhere/3"


def test_a_task_cannot_be_sent_without_a_broker() -> None:
    app = _app()

    anything = app.task(name="unit.anything")(_nothing)

    with pytest.raises(no_broker.NoCeleryBroker, match=r"unit\.anything cannot be sent.*Fire a trigger"):
        anything.delay()


@pytest.mark.parametrize("scheme", ["memory", "filesystem", "sqla+sqlite"])
def test_a_broker_that_loses_tasks_is_refused(scheme: str) -> None:
    app = _app(f"{scheme}://")

    with pytest.raises(UnsuitableBroker, match=r"none://"):
        check_worker_broker(app, has_event_loop=False)
    with pytest.raises(UnsuitableBroker, match="Redis or RabbitMQ"):
        check_durable_broker(app)


def test_a_worker_without_an_event_loop_is_refused() -> None:
    with pytest.raises(UnsuitableBroker, match="eventlet"):
        check_worker_broker(_app("redis://"), has_event_loop=False)


def test_a_worker_needs_no_broker_but_a_dispatcher_does() -> None:
    app = _app()

    check_worker_broker(app, has_event_loop=True)
    with pytest.raises(UnsuitableBroker, match="no broker to dispatch into"):
        check_durable_broker(app)


@pytest.mark.parametrize("url", ["redis://", "amqp://", "rediss://host"])
def test_a_real_broker_is_accepted(url: str) -> None:
    app = _app(url)

    check_worker_broker(app, has_event_loop=True)
    check_durable_broker(app)


def _nothing() -> None: ...


def test_a_connection_without_a_host_is_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    app = Celery("silent", broker=no_broker.URL, set_as_current=False)

    with app.connection_for_write() as connection:
        connection.clone().ensure_connection()
        address = connection.as_uri()

    assert caplog.messages == []
    assert address.startswith("none://")
