"""Every storage decides the same, whatever sessions, triggers, tasks, rules and metadata are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.support.any_text import ANY_TEXT
from tests.unit.storages.conftest import RecordingManager, RecordingRunner

from triggers import CacheStorageBackend, MemoryStorage, MemoryStorageBackend, TriggerManager
from triggers.errors import InvalidConfiguration
from triggers.storages.contract import Storage

DOLLARS = {name: name for name in ("$audit", "$", "$$limits", "$session", "$forward")}
"""They begin like the blocks of a configuration, but are none in edition 1."""
OF_STORAGES = {
    name: name
    for name in (
        *("engine", "shadowed", "hidden", "header", "tasks", "instances", "metas", "events", "outbox", "latest_kwargs"),
        *("timestamps", "created", "lastModified", "depth", "parent", "kwargs", "status", "result", "actualKwargs"),
        *("name", "config", "self", "t#0", "#", "#0"),
    )
}
"""Names that storages and their objects use."""
EMBEDDED: dict[str, Callable[[str], Storage]] = {"memory": MemoryStorageBackend, "cache": CacheStorageBackend}


def use(manager: TriggerManager, name: str) -> Any:  # noqa: ANN401  # JSON
    """Uses the name for everything that has a name, and returns the session as `show --json` prints it."""
    first, second = f"{name}#0", "t_b#0"
    rule = {"after": [name], "run": name, "own": {name: 1}, "withParams": {name: {"p": 1}}}
    manager.update_configuration({name: rule})
    manager.fire(name, {name: 1}, event_id=name)
    manager.update_configuration({"t_b": {"after": [name], "run": "app.b"}})
    manager.fire(name, {name: 2})
    manager.update_instance_metadata(first, {name: {"a": [1]}})
    manager.update_instance_status(second, "failed", {name: 8})
    manager.replay_failed_instance(second)
    manager.fire("other")
    return manager.storage.read()


def shown(view: Any) -> Any:  # noqa: ANN401  # JSON
    """Returns what does not depend on the time and on the UID."""
    instances = [
        (each.name, each.status, plain(each.kwargs), plain(each.metadata), each.parent, each.depth)
        for each in view.instances
    ]
    tasks = [(task.name, task.after, task.run, plain(task.extra)) for task in view.tasks]
    return instances, tasks, plain(view.latest_kwargs)


def plain(payloads: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(bytes(value)) for name, value in payloads.items()}


@pytest.mark.usefixtures("django", "runner")
@pytest.mark.parametrize("storage", EMBEDDED)
@pytest.mark.parametrize("name", [*DOLLARS, *OF_STORAGES, *ANY_TEXT])
def test_an_embedded_storage_decides_as_the_stream_does(storage: str, name: str) -> None:
    text = (DOLLARS | OF_STORAGES | ANY_TEXT)[name][:1000]

    session = EMBEDDED[storage](uuid4().hex)
    assert shown(use(RecordingManager(session), text)) == shown(use(RecordingManager(MemoryStorage("s1")), text))


@pytest.mark.usefixtures("django", "runner")
@pytest.mark.parametrize("storage", EMBEDDED)
def test_metadata_that_has_the_name_of_an_attribute_does_not_become_it(storage: str) -> None:
    uid = uuid4().hex
    use(RecordingManager(EMBEDDED[storage](uid)), "parent")

    instance = RecordingManager(EMBEDDED[storage](uid)).storage.instances["t_b#1"]

    assert (instance.metadata["parent"], instance.depth) == ("t_b#0", 1)


MISTAKES = {
    '{"$limits": {"maxCascadeDepth": 0}}': "maxCascadeDepth",
    '{"$manager": {}}': r"'\$manager' must be the key of a manager",
    '{"$edition": 3}': r"'\$edition': it must be 1 or 2, but it is 3",
    '{"$limit": {"maxCascadeDepth": 5}}': r"'\$limit'.*did you mean '\$limits'",
    '{"$session": {"finalize": "end"}}': r"The block '\$session' needs '\$edition': 2",
    '{"$forward": {"on": "a", "to": "b"}}': r"The block '\$forward' needs '\$edition': 2",
}


@pytest.mark.usefixtures("django", "runner")
@pytest.mark.parametrize("storage", [*EMBEDDED, "fold"])
@pytest.mark.parametrize("rules", MISTAKES)
def test_a_wrong_block_is_refused_alike(storage: str, rules: str) -> None:
    session = MemoryStorage("s1") if storage == "fold" else EMBEDDED[storage](uuid4().hex)

    with pytest.raises(InvalidConfiguration, match=MISTAKES[rules]):
        RecordingManager(session).update_configuration(json.loads(rules))


def test_the_runner_of_this_module_is_that_of_the_fixture(runner: type[RecordingRunner]) -> None:
    use(RecordingManager(MemoryStorageBackend("s1")), "t_a")

    assert runner.taken
