"""`install()` adds a step once and refuses what it cannot work with."""

from __future__ import annotations

import msgspec
import pytest
from celery import Celery, signals
from tests.unit.celery.test_no_broker import SETTINGS

from triggers import TriggerManager, trigger_managers
from triggers.celery import install
from triggers.celery.installation import installed_settings
from triggers.errors import CallError
from triggers.task import TaskContext, TriggerTask


@trigger_managers.register("counting")
class Counting(TriggerManager):
    """An application's request class."""


class Asking(TriggerTask):
    """A task that returns its context."""

    abstract = True

    def _run(self, context: TaskContext) -> dict[str, object]:
        return {"kind": type(context.manager).__name__, "uid": context.manager.storage.uid}


def _steps(app: Celery) -> list[str]:
    return [step.name for step in app.steps["consumer"]]


def test_installing_is_idempotent() -> None:
    app = Celery("unit", set_as_current=False)

    install(app, SETTINGS)
    install(app)

    assert _steps(app) == ["triggers-commands"]
    assert installed_settings() == SETTINGS


def test_two_apps_of_a_process_share_the_settings() -> None:
    install(Celery("unit", set_as_current=False), SETTINGS)
    other = msgspec.structs.replace(SETTINGS, namespace="other")

    with pytest.raises(CallError, match="other settings"):
        install(Celery("unit", set_as_current=False), other)


def test_a_task_finds_the_manager_that_was_installed() -> None:
    install(Celery("unit", set_as_current=False), SETTINGS, manager="counting")
    task = Asking()
    task.bind(Celery("unit", set_as_current=False))
    task.push_request(id="s1/t_a#0/1")

    assert task.run(page={}) == {"kind": "Counting", "uid": "s1"}

    with pytest.raises(CallError, match="other settings"):
        install(Celery("unit", set_as_current=False), manager="default")


def test_workers_with_a_dispatcher_read_nothing_and_acknowledge_late() -> None:
    app = Celery("unit", set_as_current=False, broker="redis://")

    install(app, SETTINGS, consume=False)

    assert _steps(app) == []
    assert app.conf.task_acks_late is True


@pytest.mark.parametrize(
    ("queues", "taken"), [(None, ("billing",)), (["gpu", "@default"], ("gpu", None)), ([], (None,))]
)
def test_a_worker_takes_the_queues_of_the_call_or_of_the_settings(
    queues: list[str] | None, taken: tuple[str | None, ...]
) -> None:
    app = Celery("unit", set_as_current=False)

    install(app, msgspec.structs.replace(SETTINGS, queues="billing"), queues=queues)

    (step,) = app.steps["consumer"]
    assert step.queues == taken


def test_a_name_that_no_queue_can_have_is_refused() -> None:
    with pytest.raises(CallError, match=r"queue 'a\.b'"):
        install(Celery("unit", set_as_current=False), SETTINGS, queues=["a.b"])


@pytest.mark.parametrize("_turn", [1, 2])
def test_an_installation_of_one_test_is_gone_in_the_next(_turn: int) -> None:  # a parameter, not a fixture
    assert not any(receiver for receiver in signals.task_success.receivers)

    install(Celery("unit", set_as_current=False), SETTINGS)

    assert len(signals.task_success.receivers) == 1
