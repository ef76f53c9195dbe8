"""`BaseStorageBackend`, the base class of embedded storages.

Under a lock, it loads the whole session, lets the engine decide and saves the session. The engine is the same as on the
stream. A subclass implements `_load_from_backend` and `_save`; docs/storages.md has an example, and
`triggers.testing.StorageSuite` tests subclasses.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import msgspec
from msgspec import structs
from typing_extensions import override

from triggers.codec import NO_LIMIT, check_event, encode_configuration, encode_key
from triggers.core.commands import Decision
from triggers.core.config import BLOCKS
from triggers.core.engine import apply
from triggers.core.events import CloneRequested, ConfigurationUpdated, Event
from triggers.core.statuses import Status
from triggers.core.view import SessionView, view_session
from triggers.errors import InstanceNotFound, InvalidConfiguration, SessionNotFound
from triggers.registry import storage_backends, task_runners
from triggers.storages.contract import Storage
from triggers.storages.lockable import Lockable
from triggers.storages.outbox import Outbox, deliver_entries
from triggers.storages.session_objects import (
    SessionObjects,
    TaskInstanceCollection,
    milliseconds,
    moment,
    removed_task,
)
from triggers.storages.stored_state import ENGINE, SHADOWED, LiveSession, delete_remaining_rows, freeze, thaw
from triggers.types import TaskConfig, TaskInstance

__all__ = ["BaseStorageBackend", "BaseTriggerStorage", "TaskInstanceCollection", "storage_backends"]

Stored = Mapping[str, Mapping[str, Any]]


_plain = msgspec.json.Decoder().decode
_as_json = msgspec.json.Encoder(enc_hook=str).encode


class BaseStorageBackend(Lockable, Storage):
    """The storage of one session, which is loaded and saved as a whole.

    What is inspected (`tasks`, `instances`, `latest_kwargs`) may be as old as the last load; acquiring the lock loads
    the session again. An application may change the objects by hand inside `acquire_lock()` and then call `save()`.
    """

    name: ClassVar[str | None] = None
    """The key that the storage is registered under, for people. Workers use the registry."""

    def __init__(self, uid: str) -> None:
        """Raises CallError for an invalid UID. Workers create the storage with the UID and `worker_arguments`."""
        super().__init__()
        encode_key(uid)
        self.uid = uid
        self._loaded = False
        self._configs: dict[str, TaskConfig] = {}
        self._instances = TaskInstanceCollection()
        self._metas: dict[str, Any] = {}

    # -- for subclasses -----------------------------------------------------------------------------------------------

    @abstractmethod
    def _load_from_backend(self) -> tuple[Stored, Stored, Mapping[str, Any]]:
        """Returns tasks, instances and metadata as `_save` stored them, or three empty mappings."""

    @abstractmethod
    def _save(self) -> None:
        """Stores `self._serialize(self._configs)`, `self._serialize(self._instances)` and `self._metas`.

        All three are JSON. Called with the lock held.
        """

    def _load_default_configuration(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Returns the configuration of a session that was not configured yet, or None."""
        return None

    def _now(self) -> int:
        """Returns the milliseconds since 1970, for events without a time."""
        return time.time_ns() // 1_000_000

    def get_lock_name(self) -> str:
        return f"triggers:{self.uid}:lock"

    # -- events -------------------------------------------------------------------------------------------------------

    def write(self, event: Event) -> Decision:
        check_event(event, NO_LIMIT)
        with self.acquire_lock():
            decision = self._apply_event(event)
            self.save()
        return decision

    @override
    def read(self, *, wait: bool = True) -> SessionView:
        self.refresh()
        session = self._thaw().session
        if not session.exists:
            raise SessionNotFound(f"there is no session {self.uid!r}")
        return view_session(session)

    @property
    def outbox(self) -> Outbox:
        """The saved commands that were not handed to their runner yet."""
        self._load()
        return Outbox(self._metas.setdefault("outbox", []))

    def _apply_event(self, event: Event) -> Decision:
        """Applies an event to the loaded session, without saving it."""
        live = self._thaw()
        position = self._metas.get("events", live.session.header.events)
        placed = structs.replace(event, position=position, time=event.time or self._now())
        decision = apply(live.session, placed)
        delete_remaining_rows(live, placed.time)
        objects, engine = freeze(live)
        self._configs, self._instances = objects.tasks, objects.instances
        self._metas |= {"latest_kwargs": objects.latest_kwargs, "events": position + 1, ENGINE: engine}
        self.outbox.add_commands(decision.commands, self._instances)
        return decision

    def _thaw(self) -> LiveSession:
        self._load()
        objects = SessionObjects(self._configs, self._instances, self.latest_kwargs)
        return thaw(self.uid, objects, self._metas.get(ENGINE) or {})

    def check_configuration(self, configuration: Mapping[str, Mapping[str, object]]) -> None:
        """Raises InvalidConfiguration if `using` names a runner that is not registered in this process."""
        for task, directives in configuration.items():
            using = directives.get("using") if isinstance(directives, Mapping) else None
            if using is not None and using not in task_runners:
                known = ", ".join(task_runners)
                raise InvalidConfiguration(f"task {task!r}: 'using' names the runner {using!r}; registered are {known}")

    @override
    def configuration_for(self, configuration: bytes, manager: type | None) -> bytes:
        """Returns the configuration unchanged."""
        return configuration

    def deliver(self, run: Callable[[TaskInstance], None]) -> list[str]:
        """Passes every instance in the outbox to `run`, under the lock, and saves the session."""
        if not self.has_lock and not self.outbox:
            return []
        with self.acquire_lock():
            return deliver_entries(self.uid, self.outbox, self.instances, run, self.save)

    # -- inspection ---------------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> dict[str, TaskConfig]:
        self._load()
        return self._configs

    @property
    def instances(self) -> TaskInstanceCollection:
        self._load()
        return self._instances

    @property
    def latest_kwargs(self) -> dict[str, Any]:
        latest: dict[str, Any] = self.metadata.setdefault("latest_kwargs", {})
        return latest

    @property
    def metadata(self) -> dict[str, Any]:
        """The session's state besides its tasks and instances. A storage or a manager may add keys to it."""
        self._load()
        return self._metas

    # -- changes by hand ----------------------------------------------------------------------------------------------

    @contextmanager
    def acquire_lock(self, ttl: bool | float | None = True, block: bool = True) -> Iterator[Self]:
        """Locks the session as `Lockable` describes. The outermost block discards what was loaded before."""
        outermost = not self.has_lock
        with super().acquire_lock(ttl, block):
            if outermost:
                self.invalidate_cache()
            yield self

    def update_configuration(self, config_dict: Mapping[str, Mapping[str, Any]]) -> None:
        """Adds tasks, or replaces tasks of the same name. Call `save` afterwards. Raises InvalidConfiguration."""
        self._apply_event(ConfigurationUpdated(configuration=encode_configuration(config_dict)))

    def create_instance(self, task_config: TaskConfig | str, **kwargs: Any) -> TaskInstance:
        """Returns a new unstarted instance. `kwargs` are fields of `TaskInstance`. Call `save` afterwards.

        Raises KeyError if there is no such task.
        """
        config = task_config if isinstance(task_config, TaskConfig) else self.tasks[task_config]
        return self.instances.create_instance(config, status=str(Status.UNSTARTED), **kwargs)

    def clone_instance(self, task_instance: TaskInstance | str) -> TaskInstance:
        """Returns a new unstarted instance with the same kwargs. Call `save` afterwards. Raises InstanceNotFound."""
        name = str(getattr(task_instance, "name", task_instance))
        if name not in self.instances:
            raise InstanceNotFound(f"session {self.uid!r} has no instance {name!r}")
        self._apply_event(CloneRequested(instance=name))
        return next(reversed(self.instances.values()))

    def save(self) -> None:
        """Saves the session, if it is loaded.

        Raises RuntimeError without the lock, and LockAcquisitionFailed if the lock has expired.
        """
        self.check_lock()
        if self._loaded:
            self._save()

    def refresh(self) -> None:
        if not self.has_lock:
            self.invalidate_cache()

    def invalidate_cache(self) -> None:
        self._loaded = False
        self._configs, self._instances, self._metas = {}, TaskInstanceCollection(), {}

    def _serialize(
        self,
        objects: Mapping[str, TaskConfig] | Mapping[str, TaskInstance],
        optimize_for_backend: bool = True,  # subclasses pass it by position
    ) -> dict[str, Any]:
        """Returns plain data by name. For a backend, it is JSON and includes the state of the engine."""
        if not optimize_for_backend:
            return {name: each.serialize() for name, each in objects.items()}
        return {name: _stored(each) for name, each in objects.items()}

    def _load(self) -> None:
        if self._loaded:
            return
        tasks, instances, metas = self._load_from_backend()
        metas = dict(metas)
        if not tasks:
            tasks = self._load_default_configuration() or {}
            hidden = {name: value for name, value in tasks.items() if name in BLOCKS}
            metas = ({ENGINE: {"hidden": hidden}} if hidden else {}) | metas
        names = [name for name in (metas.get(ENGINE) or {}).get("tasks") or () if name in tasks]
        names = list(dict.fromkeys([*names, *tasks]))  # a backend may lose the order of a mapping
        self._configs = {name: TaskConfig(name, **tasks[name]) for name in names if name not in BLOCKS}
        self._instances = TaskInstanceCollection()
        for name in sorted(instances, key=lambda each: _sequence(instances[each])):
            self._instances.add(self._loaded_instance(name, instances[name]))
        self._metas = metas
        self._loaded = True

    def _loaded_instance(self, name: str, stored: Mapping[str, Any]) -> TaskInstance:
        metadata = dict(stored.get("metadata") or {})
        engine = _engine_of(stored)
        if engine:
            del metadata[ENGINE]
        if ENGINE in engine.get(SHADOWED, {}):
            metadata[ENGINE] = _plain(engine[SHADOWED][ENGINE])
        if stamps := metadata.get("timestamps"):
            metadata["timestamps"] = {name: moment(milliseconds(when)) for name, when in stamps.items()}
        fields = {key: stored.get(key) for key in ("status", "kwargs", "abandonState")}
        config = self._configs.get(stored["task"]) or removed_task(stored["task"])
        return TaskInstance(name, config, metadata=metadata, engine=engine, **fields)


BaseTriggerStorage = BaseStorageBackend
"""The name of `BaseStorageBackend` in the Triggers framework."""


def _stored(each: TaskConfig | TaskInstance) -> dict[str, Any]:
    serialized = each.serialize()
    if isinstance(each, TaskInstance):
        serialized["metadata"] = serialized["metadata"] | {ENGINE: each.engine}
    plain: dict[str, Any] = _plain(_as_json(serialized))
    return plain


def _sequence(stored: Mapping[str, Any]) -> int:
    """Returns the instance's sequence number, because a backend may lose the order of a mapping."""
    return int(_engine_of(stored).get("sequence", 1 << 62))


def _engine_of(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the engine's state in a stored instance. In one of the framework, the name may be the application's."""
    engine = (stored.get("metadata") or {}).get(ENGINE)
    return engine if isinstance(engine, Mapping) and "sequence" in engine else {}
