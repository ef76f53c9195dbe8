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

from msgspec import structs
from typing_extensions import override

from triggers.codec import NO_LIMIT, check_event, encode_configuration, encode_key
from triggers.core.commands import SetTimer
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import CloneRequested, ConfigurationUpdated, Event
from triggers.core.statuses import Status
from triggers.core.view import SessionView, view_session
from triggers.errors import InstanceNotFound, InvalidConfiguration, NotSupported, SessionNotFound
from triggers.registry import storage_backends, task_runners
from triggers.storages.contract import Storage
from triggers.storages.due_timers import RecordEvent, Written, timers_except_cooldowns, write_due_events
from triggers.storages.lockable import Lockable
from triggers.storages.outbox import Outbox, deliver_entries
from triggers.storages.session_objects import SessionObjects, TaskInstanceCollection
from triggers.storages.stored_objects import Stored, load_instances, load_tasks, stored_form
from triggers.storages.stored_rows import ROWS, LiveSession, check_unchanged, objects_of_rows
from triggers.storages.stored_state import ENGINE, block_names, delete_remaining_rows, freeze, thaw
from triggers.types import TaskConfig, TaskInstance

__all__ = ["BaseStorageBackend", "BaseTriggerStorage", "Stored", "TaskInstanceCollection", "storage_backends"]


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

    def _store_due_time(self, due: int | None) -> None:
        """Stores when the session's first timer is due, for `due_sessions`; None: it has none. Does nothing by default.

        Called with the lock held: before the session is saved with a timer that is due earlier than stored, and after
        `write_due`. So what is stored may be too early, and never too late.
        """

    @classmethod
    def due_sessions(cls, now: int, **worker_arguments: Any) -> list[str]:  # noqa: ARG003  # for subclasses
        """Returns the UIDs of the sessions with timers that are due at `now`, in milliseconds since 1970.

        Raises NotSupported unless the storage overrides it together with `_store_due_time`.
        """
        raise NotSupported(f"{cls.__name__} does not list its sessions; call manager.run_due() for each of them")

    def get_lock_name(self) -> str:
        return f"triggers:{self.uid}:lock"

    # -- events -------------------------------------------------------------------------------------------------------

    def write(self, event: Event) -> Decision:
        check_event(event, NO_LIMIT)
        with self.acquire_lock():
            decision = self._apply_event(event)
            self._store()
        return decision

    @override
    def write_due(self, record: RecordEvent) -> Written:
        with self.acquire_lock():
            now = self._now()
            written = write_due_events(lambda: self._timers(now), now, record)
            self._metas["due"] = due = next((timer.due for timer in self._timers()), None)
            if self._metas.get("events"):
                self._store()
            self._store_due_time(due)
        return written

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
        positioned = structs.replace(event, position=position, time=event.time or self._now())
        decision = apply(live.session, positioned)
        delete_remaining_rows(live, positioned.time)
        objects, engine = freeze(live)
        self._configs, self._instances = objects.tasks, objects.instances
        self._metas |= {"latest_kwargs": objects.latest_kwargs, "events": position + 1, ENGINE: engine}
        self.outbox.add_commands(decision.commands, self._instances, with_kwargs=ROWS in engine)
        self._store_first_timer(live)
        return decision

    def _store_first_timer(self, live: LiveSession) -> None:
        due = next((timer.due for timer in timers_except_cooldowns(live.session, live.rows)), None)
        if due is not None and (self._metas.get("due") is None or due < self._metas["due"]):
            self._store_due_time(due)
            self._metas["due"] = due

    def _timers(self, *until: int) -> list[SetTimer]:
        live = self._thaw()
        return list(timers_except_cooldowns(live.session, live.rows, *until))

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
            return deliver_entries(self.uid, self.outbox, self.instances, run, self._store)

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

        Raises RuntimeError without the lock, LockAcquisitionFailed if the lock has expired, and NotSupported if tasks
        or instances of a session of edition 2 were changed by hand.
        """
        engine = self._metas.get(ENGINE) or {}
        if ROWS in engine:
            check_unchanged(self.uid, SessionObjects(self._configs, self._instances, self.latest_kwargs), engine)
        self._store()

    def _store(self) -> None:
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
        return {name: stored_form(each) for name, each in objects.items()}

    def _load(self) -> None:
        if self._loaded:
            return
        tasks, instances, metas = self._load_from_backend()
        if ROWS in (metas.get(ENGINE) or {}):
            objects = objects_of_rows(self.uid, metas[ENGINE])
            self._configs, self._instances, self._metas = objects.tasks, objects.instances, dict(metas)
            self._loaded = True
            return
        self._load_objects(tasks, instances, dict(metas))
        self._loaded = True

    def _load_objects(self, tasks: Stored, instances: Stored, metas: dict[str, Any]) -> None:
        if not tasks:
            whole = self._load_default_configuration() or {}
            blocks = block_names(whole)
            tasks = {name: value for name, value in whole.items() if name not in blocks}
            hidden = {name: value for name, value in whole.items() if name in blocks}
            metas = ({ENGINE: {"hidden": hidden}} if hidden else {}) | metas
        self._configs = load_tasks(tasks, metas.get(ENGINE) or {})
        self._instances = load_instances(instances, self._configs)
        self._metas = metas


BaseTriggerStorage = BaseStorageBackend
"""The name of `BaseStorageBackend` in the Triggers framework."""
