"""Every module, name and signature that the documentation of the Triggers framework shows is there."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from triggers.registry import ClassRegistry, storage_backends, task_runners, trigger_managers

ROOT = Path(__file__).parents[2]

CALLABLES = {
    "triggers.TriggerManager": "storage",
    "triggers.CacheStorageBackend": "uid cache timeout",
    "triggers.exceptions.with_context": "exc context",
    "triggers.importlib.dl": "classpath",
    "triggers.locking.acquire_lock": "key ttl cache block",
    "triggers.locking.resolve_cache": "backend",
    "triggers.locking.Lockable.acquire_lock": "self ttl block",
    "triggers.locking.Lockable.get_lock_backend": "self",
    "triggers.locking.Lockable.get_lock_name": "self",
    "triggers.manager.TriggerManager.fire": "self trigger_name trigger_kwargs",
    "triggers.manager.TriggerManager.mark_instance_logs_resolved": "self task_instance",
    "triggers.manager.TriggerManager.replay_failed_instance": "self failed_instance replacement_kwargs",
    "triggers.manager.TriggerManager.skip_failed_instance": "self failed_instance cascade result",
    "triggers.manager.TriggerManager.update_configuration": "self configuration",
    "triggers.manager.TriggerManager.update_instance_metadata": "self task_instance metadata",
    "triggers.manager.TriggerManager.update_instance_status": (
        "self task_instance status metadata cascade cascade_kwargs"
    ),
    "triggers.manager.TriggerManager._post_fire": "self trigger_name tasks_scheduled",
    "triggers.manager.TriggerManager._post_replay": "self task_instance",
    "triggers.manager.TriggerManager._post_skip": "self task_instance cascade",
    "triggers.manager.trigger_managers.get": "key",
    "triggers.runners.BaseTaskRunner.resolve": "self target",
    "triggers.runners.BaseTaskRunner.run": "self manager task_instance",
    "triggers.runners.CeleryTaskRunner.run": "self manager task_instance",
    "triggers.runners.ThreadingTaskRunner.join_all": "",
    "triggers.runners.ThreadingTaskRunner.run": "self manager task_instance",
    "triggers.runners.autodiscover_celery_tasks": "",
    "triggers.runners.resolve_celery_task": "target autoload",
    "triggers.storages.storage_backends.get": "key",
    "triggers.storages.base.BaseTriggerStorage": "uid",
    "triggers.storages.base.BaseTriggerStorage.__getitem__": "self instance_name",
    "triggers.storages.base.BaseTriggerStorage.__iter__": "self",
    "triggers.storages.base.BaseTriggerStorage._load_default_configuration": "self",
    "triggers.storages.base.BaseTriggerStorage._load_from_backend": "self",
    "triggers.storages.base.BaseTriggerStorage._save": "self",
    "triggers.storages.base.BaseTriggerStorage.acquire_lock": "self ttl block",
    "triggers.storages.base.BaseTriggerStorage.clone_instance": "self task_instance",
    "triggers.storages.base.BaseTriggerStorage.close": "self",
    "triggers.storages.base.BaseTriggerStorage.create_instance": "self task_config",
    "triggers.storages.base.BaseTriggerStorage.debug_repr": "self",
    "triggers.storages.base.BaseTriggerStorage.get_instances_with_unresolved_logs": "self",
    "triggers.storages.base.BaseTriggerStorage.get_unresolved_instances": "self",
    "triggers.storages.base.BaseTriggerStorage.get_unresolved_tasks": "self",
    "triggers.storages.base.BaseTriggerStorage.instances_of_task": "self task_config",
    "triggers.storages.base.BaseTriggerStorage.invalidate_cache": "self",
    "triggers.storages.base.BaseTriggerStorage.iter_instances": "self",
    "triggers.storages.base.BaseTriggerStorage.save": "self",
    "triggers.storages.base.BaseTriggerStorage.update_configuration": "self config_dict",
    "triggers.storages.cache.CacheStorageBackend": "uid cache timeout",
    "triggers.task.MaxRetriesExceeded": "message",
    "triggers.task.StatusChange": "status metadata",
    "triggers.task.TaskContext": (
        "instance_name manager_type storage_type storage_uid trigger_kwargs extra_args extra_kwargs"
    ),
    "triggers.task.TaskContext.filter_kwargs": "self filters",
    "triggers.task.TaskContext.get_logger_context": "self logger context",
    "triggers.task.TriggerTask._run": "self context",
    "triggers.task.TriggerTask.cleanup_thread": "self",
    "triggers.task.TriggerTask.retry": "self exc metadata replacement_kwargs cooldown",
    "triggers.task.TriggerTask.skip": "self metadata",
    "triggers.task.task_body": "target",
    "triggers.testing.name_matches_classpath": "cls",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceAbandoned": "self instance_name",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceFailed": "self instance_name exc_type",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceFinished": "self instance_name expected_result",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceMissing": "self instance_name",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceReplayed": "self instance_name",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceSkipped": "self instance_name",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceStatus": "self instance_name expected_status",
    "triggers.testing.TriggerManagerTestCaseMixin.assertInstanceUnstarted": "self instance_name",
    "triggers.testing.TriggerManagerTestCaseMixin.assertUnresolvedInstances": "self instance_names",
    "triggers.testing.TriggerManagerTestCaseMixin.assertUnresolvedTasks": "self task_names",
    "triggers.types.TaskConfig": "name after run unless using withParams andEvery",
    "triggers.types.TaskConfig.serialize": "self",
    "triggers.types.TaskConfig.uses_trigger": "self trigger_name",
    "triggers.types.TaskInstance": "name config status metadata kwargs abandonState",
    "triggers.types.TaskInstance.serialize": "self",
}

NAMES = {
    "triggers": "storage_backends trigger_managers",
    "triggers.itertools": "merge_dict merge_dict_recursive",
    "triggers.locking": "LockAcquisitionFailed Lockable NotSupported",
    "triggers.logging.handlers": "LogLevelHandler MemoryHandler",
    "triggers.logging.loggers": "LocalLogger LoggerAdapter",
    "triggers.patcher": "AttrPatcher",
    "triggers.runners": "DEFAULT_TASK_RUNNER task_runners",
    "triggers.storages": "BaseTriggerStorage CacheStorageBackend TaskInstanceCollection storage_backends",
    "triggers.storages.base": "TaskInstanceCollection storage_backends",
    "triggers.task": "MaxRetriesExceeded Retry StatusChange TaskContext TriggerTask",
    "triggers.testing": (
        "DevNullTask FailingTask PassThruTask SelfRetryingTask SelfSkippingTask TriggerManagerTestCaseMixin"
    ),
    "triggers.types.TaskConfig": "after_sorted extras unless_sorted",
    "triggers.types.TaskInstance": (
        "LOG_LEVEL_THRESHOLD META_ACTUAL_KWARGS META_COOLDOWN META_DEPTH META_EXCEPTION_CONTEXT META_EXCEPTION_INFO"
        " META_EXCEPTION_TYPE META_LOGS_RESOLVED META_LOG_LEVEL META_PARENT META_RESULT META_TIMESTAMPS"
        " STATUS_ABANDONED STATUS_FAILED STATUS_FINISHED STATUS_REPLAYED STATUS_RUNNING STATUS_SCHEDULED"
        " STATUS_SKIPPED STATUS_UNSTARTED TIMESTAMP_CREATED TIMESTAMP_LAST_MODIFIED can_abandon can_replay can_run"
        " can_schedule can_skip cooldown depth is_resolved last_modified log_level log_level_name logs_relevant"
        " logs_resolved"
    ),
}

pytestmark = pytest.mark.usefixtures("django")


def resolve(path: str) -> Any:  # noqa: ANN401  # any object
    """Returns the object of a dotted path."""
    module, _, attribute = path.rpartition(".")
    try:
        return import_module(path)
    except ModuleNotFoundError:
        return getattr(resolve(module), attribute)


@pytest.mark.parametrize("path", CALLABLES)
def test_it_can_be_called_as_documented_by_position_and_by_keyword(path: str) -> None:
    expected = CALLABLES[path].split()

    parameters = list(inspect.signature(resolve(path)).parameters.values())

    assert [each.name for each in parameters[: len(expected)]] == expected
    assert {each.kind for each in parameters[: len(expected)]} <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert [each.name for each in parameters[len(expected) :] if is_required(each)] == []


def is_required(parameter: inspect.Parameter) -> bool:
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return parameter.default is parameter.empty and parameter.kind not in variable


@pytest.mark.parametrize("path", NAMES)
def test_it_has_the_documented_names(path: str) -> None:
    assert [name for name in NAMES[path].split() if not hasattr(resolve(path), name)] == []


def test_a_star_import_has_the_names_of_the_framework() -> None:
    names: dict[str, object] = {}

    exec("from triggers import *", names)  # noqa: S102  # as applications write it

    expected = {"BaseTriggerStorage", "CacheStorageBackend", "TriggerManager", "storage_backends", "trigger_managers"}
    assert expected <= names.keys()


@pytest.mark.parametrize(
    ("registry", "keys"),
    [
        (storage_backends, ["cache", "memory", "stream"]),
        (task_runners, ["celery", "threading"]),
        (trigger_managers, ["default"]),
    ],
)
def test_the_classes_of_the_package_are_registered_with_their_keys(registry: ClassRegistry, keys: list[str]) -> None:
    assert set(registry) >= set(keys)
    assert [registry.get_class(key).triggers__registry_key for key in keys] == keys  # type: ignore[attr-defined]


def test_the_wheel_is_typed_and_keeps_the_entry_point_groups(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")

    with zipfile.ZipFile(wheel) as built:
        names = built.namelist()
        [entries] = [name for name in names if name.endswith("entry_points.txt")]
        groups = ConfigParser()
        groups.read_string(built.read(entries).decode())

    assert "triggers/py.typed" in names
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    for group in ("triggers.managers", "triggers.storages", "triggers.runners"):
        assert dict(groups[group]) == declared[group]
