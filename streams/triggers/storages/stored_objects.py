"""The JSON in which an embedded storage stores tasks and instances, and the objects that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from triggers.storages.session_objects import TaskInstanceCollection, milliseconds, moment, removed_task
from triggers.storages.stored_state import ENGINE, SHADOWED
from triggers.types import TaskConfig, TaskInstance

Stored = Mapping[str, Mapping[str, Any]]

_plain = msgspec.json.Decoder().decode
_as_json = msgspec.json.Encoder(enc_hook=str).encode


def stored_form(each: TaskConfig | TaskInstance) -> dict[str, Any]:
    """Returns a task or an instance as JSON, with the state of the engine."""
    serialized = each.serialize()
    if isinstance(each, TaskInstance):
        serialized["metadata"] = serialized["metadata"] | {ENGINE: each.engine}
    plain: dict[str, Any] = _plain(_as_json(serialized))
    return plain


def load_tasks(tasks: Stored, engine: Mapping[str, Any]) -> dict[str, TaskConfig]:
    """Returns the tasks in declaration order, because a backend may lose the order of a mapping."""
    names = dict.fromkeys([*(name for name in engine.get("tasks") or () if name in tasks), *tasks])
    return {name: TaskConfig(name, **tasks[name]) for name in names}


def load_instances(instances: Stored, configs: Mapping[str, TaskConfig]) -> TaskInstanceCollection:
    """Returns the instances in creation order."""
    collection = TaskInstanceCollection()
    for name in sorted(instances, key=lambda each: _sequence(instances[each])):
        collection.add(_load_instance(name, instances[name], configs))
    return collection


def _load_instance(name: str, stored: Mapping[str, Any], configs: Mapping[str, TaskConfig]) -> TaskInstance:
    metadata = dict(stored.get("metadata") or {})
    engine = _engine_of(stored)
    if engine:
        del metadata[ENGINE]
    if ENGINE in engine.get(SHADOWED, {}):
        metadata[ENGINE] = _plain(engine[SHADOWED][ENGINE])
    if stamps := metadata.get("timestamps"):
        metadata["timestamps"] = {name: moment(milliseconds(when)) for name, when in stamps.items()}
    fields = {key: stored.get(key) for key in ("status", "kwargs", "abandonState")}
    config = configs.get(stored["task"]) or removed_task(stored["task"])
    return TaskInstance(name, config, metadata=metadata, engine=engine, **fields)


def _sequence(stored: Mapping[str, Any]) -> int:
    """Returns the instance's sequence number, because a backend may lose the order of a mapping."""
    return int(_engine_of(stored).get("sequence", 1 << 62))


def _engine_of(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the engine's state in a stored instance. In one of the framework, the name may be the application's."""
    engine = (stored.get("metadata") or {}).get(ENGINE)
    return engine if isinstance(engine, Mapping) and "sequence" in engine else {}
