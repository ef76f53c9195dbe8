"""Applications inspect sessions in both kinds of storages: embedded storages, and those that read a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from triggers import CacheStorageBackend, MemoryStorage, MemoryStorageBackend
from triggers.core.events import ConfigurationUpdated, Event, TaskFailed, TaskFinished, TriggerFired
from triggers.storages.contract import Storage
from triggers.types import TaskConfig, TaskInstance

RULES = b"""{
    "t_page": {"after": ["start"], "andEvery": "page", "run": "app.Page", "withParams": {"page": {"x": 1}}, "sla": 5},
    "t_off": {"after": ["start"], "unless": ["stop"], "run": "app.Off"},
    "t_later": {"after": ["t_page", "end"], "run": "app.Later"},
    "t_never": {"after": ["nobody"], "run": "app.Never"}
}"""
EVENTS: list[Event] = [
    ConfigurationUpdated(configuration=RULES),
    TriggerFired(trigger="stop"),
    TriggerFired(trigger="page", kwargs=b'{"n": 1}'),
    TriggerFired(trigger="start"),
    TriggerFired(trigger="page", kwargs=b'{"n": 2}'),
    TaskFinished(instance="t_page#0", attempt=1, result=b'{"id": 7}', log_level=40),
    TaskFailed(instance="t_page#1", attempt=1, exception_type="app.Broken", exception_context=b'{"why": 3}'),
]
STATUSES = {
    "t_off#0": "abandoned",
    "t_page#0": "finished",
    "t_page#1": "failed",
    "t_later#0": "unstarted",
}


@pytest.fixture(params=[MemoryStorage, MemoryStorageBackend, CacheStorageBackend])
def storage(request: pytest.FixtureRequest, django: None) -> Iterator[Storage]:  # noqa: ARG001  # set up first
    make: Callable[[str], Storage] = request.param
    made = make(uuid4().hex)
    for event in EVENTS:
        made.write(event)
    yield made
    MemoryStorageBackend.clear()


def names(instances: list[TaskInstance]) -> list[str]:
    return [instance.name for instance in instances]


def test_tasks_by_name_in_the_order_of_their_declaration(storage: Storage) -> None:
    task = storage.tasks["t_page"]

    assert list(storage.tasks) == ["t_page", "t_off", "t_later", "t_never"]
    assert isinstance(task, TaskConfig)
    assert (task.name, task.run, task.after, task.and_every) == ("t_page", "app.Page", {"start", "page"}, "page")
    assert (task.with_params, task.extras, task.using) == ({"page": {"x": 1}}, {"sla": 5}, None)
    assert storage.tasks["t_off"].unless_sorted == ["stop"]
    assert task.uses_trigger("page")


def test_instances_by_name_by_subscript_and_by_iteration(storage: Storage) -> None:
    assert {instance.name: instance.status for instance in storage} == STATUSES
    assert list(storage.instances) == list(STATUSES)
    assert names(list(storage.iter_instances())) == list(STATUSES)
    assert str(storage["t_page#1"]) == "t_page#1 (failed)"
    assert storage.instances["t_page#1"].config.name == "t_page"
    with pytest.raises(KeyError):
        storage["t_page"]
    with pytest.raises(KeyError):
        storage.instances["t_page"]


def test_instances_of_a_task_by_its_name_or_its_configuration(storage: Storage) -> None:
    assert list(storage.instances_of_task("t_page")) == ["t_page#0", "t_page#1"]
    assert list(storage.instances_of_task(storage.tasks["t_page"])) == ["t_page#0", "t_page#1"]
    assert storage.instances_of_task("t_never") == {}
    assert storage.instances_of_task("t_nobody") == {}


def test_unresolved_tasks_instances_and_logs(storage: Storage) -> None:
    assert [task.name for task in storage.get_unresolved_tasks()] == ["t_page", "t_later", "t_never"]
    assert names(storage.get_unresolved_instances()) == ["t_page#1", "t_later#0"]
    assert names(storage.get_instances_with_unresolved_logs()) == ["t_page#0"]


def test_the_attributes_of_an_instance(storage: Storage) -> None:
    finished, failed, waiting, off = (storage[name] for name in ("t_page#0", "t_page#1", "t_later#0", "t_off#0"))

    assert finished.kwargs == {"page": {"n": 1}, "start": {}}
    assert finished.metadata["result"] == {"id": 7}
    assert {"created", "lastModified", "scheduled", "finished"} <= finished.metadata["timestamps"].keys()
    assert finished.last_modified == finished.metadata["timestamps"]["lastModified"]
    assert (failed.metadata["exceptionType"], failed.metadata["exceptionContext"]) == ("app.Broken", {"why": 3})
    assert (failed.can_replay, failed.can_skip, failed.is_resolved, failed.can_schedule) == (True, True, False, False)
    assert waiting.can_schedule
    assert (waiting.can_run, waiting.can_abandon, waiting.is_resolved) == (False, False, False)
    assert (off.abandon_state, off.is_resolved, off.depth, off.cooldown) == ({"stop"}, True, 0, 0)


def test_the_latest_kwargs_and_the_whole_session(storage: Storage) -> None:
    assert storage.latest_kwargs == {"stop": {}, "page": {"n": 2}, "start": {}, "t_page": {"id": 7}}
    assert storage.metadata["latest_kwargs"] == storage.latest_kwargs
    shown = storage.debug_repr()
    assert shown.keys() == {"tasks", "instances", "metas"}
    assert shown["tasks"]["t_page"]["andEvery"] == "page"
    assert shown["instances"]["t_page#1"]["status"] == "failed"


def test_objects_are_cached_until_a_write_or_an_invalidation(storage: Storage) -> None:
    before = storage["t_page#1"]
    assert storage["t_page#1"] is before

    storage.invalidate_cache()
    assert storage["t_page#1"] is not before

    storage.write(TriggerFired(trigger="end"))
    assert storage["t_later#0"].status == "scheduled"
