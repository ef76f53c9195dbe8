"""Where rules, sessions and storages differ from the Triggers framework on purpose, by docs/migrating.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from triggers import MemoryStorage, MemoryStorageBackend, TriggerManager
from triggers.core.events import TaskFailed
from triggers.errors import InvalidConfiguration
from triggers.locking import NotSupported

ONE: dict[str, dict[str, object]] = {"t_a": {"after": ["a"], "run": "tests.A"}}
TWO: dict[str, dict[str, object]] = {"t_a": {"after": ["a", "b"], "run": "tests.A"}}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    MemoryStorageBackend.clear()


@pytest.fixture
def manager() -> TriggerManager:
    return TriggerManager(MemoryStorageBackend("s1"))


@pytest.fixture
def viewed() -> TriggerManager:
    """A manager on a storage that changes by events only, as the stream does."""
    return TriggerManager(MemoryStorage("s1"))


def statuses(manager: TriggerManager) -> dict[str, str]:
    return {instance.name: instance.status for instance in manager.storage}


def test_a_rule_with_nothing_to_wait_for_never_runs(viewed: TriggerManager) -> None:
    viewed.update_configuration({"t_a": {"after": [], "unless": ["x", "y"], "run": "tests.A"}})

    viewed.fire("x")
    assert statuses(viewed) == {"t_a#0": "unstarted"}
    viewed.fire("y")

    assert statuses(viewed) == {"t_a#0": "abandoned"}


def test_an_instance_and_its_clone_share_no_kwargs(manager: TriggerManager) -> None:
    manager.update_configuration(TWO)
    manager.fire("a", {"n": 1})
    with manager.storage.acquire_lock() as storage:
        assert isinstance(storage, MemoryStorageBackend)
        storage.clone_instance("t_a#0").kwargs["a"]["n"] = 2
        storage.save()

    again = MemoryStorageBackend("s1")

    assert [instance.kwargs for instance in again] == [{"a": {"n": 1}}, {"a": {"n": 2}}]


def test_a_configuration_with_an_unregistered_runner_is_refused(manager: TriggerManager) -> None:
    with pytest.raises(InvalidConfiguration, match=r"task 't_a': 'using' names the runner 'nobody'.*celery"):
        manager.update_configuration({"t_a": ONE["t_a"] | {"using": "nobody"}})

    assert manager.storage.tasks == {}


def test_an_unregistered_task_does_not_make_a_fire_fail(manager: TriggerManager) -> None:
    manager.update_configuration({"t_a": ONE["t_a"] | {"using": "threading"}})

    manager.fire("a")

    assert statuses(manager) == {"t_a#0": "scheduled"}
    assert manager.deliver() == ["t_a#0"]


def test_replays_by_hand_count_like_retries_as_in_the_framework(viewed: TriggerManager) -> None:
    viewed.update_configuration(ONE)
    viewed.fire("a")
    for number in range(2):
        viewed.storage.write(TaskFailed(instance=f"t_a#{number}", attempt=1, exception_type="app.Broken"))
        viewed.replay_failed_instance(f"t_a#{number}")

    assert viewed.storage["t_a#2"].depth == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda storage: storage.save(),
        lambda storage: storage.create_instance("t_a"),
        lambda storage: storage.clone_instance("t_a#0"),
        lambda storage: storage.update_configuration(ONE),
    ],
)
def test_a_storage_that_changes_by_events_only_refuses_direct_changes(
    viewed: TriggerManager, change: Callable[[Any], object]
) -> None:
    with pytest.raises(NotSupported, match="changes by events only"):
        change(viewed.storage)
