"""Hop 1: what an application does with a session."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

from triggers.codec import encode_configuration, encode_object
from triggers.core.commands import Decision
from triggers.core.config import validate_configuration
from triggers.core.events import (
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskRetried,
    TriggerFired,
)
from triggers.core.statuses import Status, may_be_set
from triggers.errors import InstanceNotFound, WrongStatus
from triggers.registry import default_runner_name, task_runners, trigger_managers
from triggers.storages.contract import Storage
from triggers.types import TaskConfig, TaskInstance

__all__ = ["TriggerManager", "trigger_managers"]

Kwargs = Mapping[str, object]


class Named(Protocol):
    """An instance, or anything else that knows the name of one."""

    @property
    def name(self) -> str:
        """`<task>#<n>`."""


class TriggerManager:
    """The API of one session.

    Every call that changes something writes one event and returns when the storage has it. An embedded storage decides
    at once: what became ready is handed to its runner and the hooks run before the call returns. On the stream both
    happen after that. Beside the errors named here, every call raises what its storage raises (`Storage`).
    """

    triggers__registry_key: ClassVar[str] = "default"
    """Set by the registry."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        """For inspection: `storage.instances`, `storage.tasks`, `storage.read()`."""

    @property
    def default_task_runner_name(self) -> str:
        """Runner of rules without `using`, in embedded storages. A class attribute of a subclass that is registered:
        workers make the manager again.
        """
        return default_runner_name()

    def fire(self, trigger_name: str, trigger_kwargs: Kwargs | None = None, *, event_id: str | None = None) -> None:
        """Fire a trigger. With an `event_id`, firing again with the same one changes nothing.

        Raises CallError for kwargs that are no JSON. A runner that is down raises nothing: see `deliver`.
        """
        kwargs = encode_object(trigger_kwargs, "trigger_kwargs")
        self._happen(TriggerFired(trigger=trigger_name, kwargs=kwargs, id=event_id))

    def update_configuration(self, configuration: Mapping[str, Mapping[str, object]]) -> None:
        """Add tasks, or replace tasks of the same name; `after` and `unless` may be sets.

        Raises InvalidConfiguration that names the task and the key, or a runner that the storage cannot use. For the
        stream, a manager with hooks must be registered: raises UnknownKey.
        """
        hooks_of = type(self) if self._has_hooks() else None
        encoded = self.storage.configuration_for(encode_configuration(configuration), hooks_of)
        validate_configuration(encoded)
        self.storage.check_configuration(configuration)
        self._happen(ConfigurationUpdated(configuration=encoded))

    def delete_session(self) -> None:
        """Delete the session: everything in it, whatever runs. Results that come later change nothing.

        Twice does no more than once; a later event begins a new session of the same UID.
        """
        self._happen(DeletionRequested())

    def replay_failed_instance(
        self, failed_instance: str | Named, replacement_kwargs: Mapping[str, Kwargs] | None = None
    ) -> None:
        """Run a failed instance again, as a new instance; `replacement_kwargs` (trigger -> kwargs) replace all of its.

        Raises WrongStatus unless it is failed, InstanceNotFound.
        """
        kwargs = None if replacement_kwargs is None else encode_object(replacement_kwargs, "replacement_kwargs")
        name = self._failed(failed_instance, "replayed")
        self._happen(ReplayRequested(instance=name, replacement_kwargs=kwargs))

    def skip_failed_instance(
        self, failed_instance: str | Named, cascade: bool = False, result: Kwargs | None = None
    ) -> None:
        """Resolve a failed instance; with `cascade`, as if its task had returned `result`.

        Raises WrongStatus unless it is failed, InstanceNotFound.
        """
        encoded = encode_object(result, "result")
        name = self._failed(failed_instance, "skipped")
        self._happen(SkipRequested(instance=name, cascade=cascade, result=encoded))

    def update_instance_status(  # noqa: PLR0913  # the signature that applications of the old framework call
        self,
        task_instance: str | Named,
        status: str,
        metadata: Kwargs | None = None,
        cascade: bool = False,
        cascade_kwargs: Kwargs | None = None,
        *,
        force: bool = False,
    ) -> TaskInstance:
        """Set a status by hand and return the instance after that; with `cascade`, fire the task's name as well.

        Raises WrongStatus for a change that only `force` allows, InstanceNotFound.
        """
        found = self._find(task_instance)
        if not force and not may_be_set(found.status, status):
            raise WrongStatus(f'{_told(found)} cannot be set to "{status}" without force!')
        event = StatusSet(
            instance=found.name,
            status=status,
            metadata=encode_object(metadata, "metadata"),
            cascade=cascade,
            cascade_kwargs=encode_object(cascade_kwargs, "cascade_kwargs"),
            force=force,
        )
        self._happen(event)
        return self._find(found)

    def update_instance_metadata(self, task_instance: str | Named, metadata: Kwargs) -> None:
        """Merge metadata into an instance. Raises InstanceNotFound."""
        encoded = encode_object(metadata, "metadata")
        self._happen(MetadataUpdated(instance=self._find(task_instance).name, metadata=encoded))

    def mark_instance_logs_resolved(self, task_instance: str | Named) -> None:
        """Note that somebody has seen what the instance logged. Raises InstanceNotFound."""
        self.update_instance_metadata(task_instance, {"logsResolved": True})

    def get_unresolved_tasks(self) -> list[TaskConfig]:
        """Tasks with no instance yet, or with an unresolved one, in declaration order, as of now."""
        self.storage.refresh()
        return self.storage.get_unresolved_tasks()

    def get_unresolved_instances(self) -> list[TaskInstance]:
        """Instances that something still waits for, failed ones included, in creation order, as of now."""
        self.storage.refresh()
        return self.storage.get_unresolved_instances()

    # -- what follows from an event -----------------------------------------------------------------------------------

    def record(self, event: Event) -> Decision | None:
        """Write an event and, where the storage decides at once, hand over what became ready; hooks do not run.

        For workers of embedded storages, whose reports no hook can undo; the other methods run the hooks as well.
        """
        with self.storage.acquire_lock():
            decision = self.storage.write(event)
            self.deliver()
        return decision

    def run_hooks(self, event: Event, decision: Decision) -> None:
        """Run the hooks for an event that has happened. Raises what they raise."""
        for fire in decision.fires:
            self.after_fire(fire.trigger, fire.ready)
        match event:
            case ReplayRequested() | TaskRetried() if decision.commands:
                self.after_replay(event.instance, decision.commands[0].instance)
            case SkipRequested():
                self.after_skip(event.instance, event.cascade)
            case _:
                pass

    def deliver(self) -> list[str]:
        """Hand every command of an embedded storage's outbox to its runner; names of the instances that stay there.

        Every call that changes the session does this. What a runner refuses is logged, kept and tried again by the
        next call: call this yourself to have it sooner.
        """
        return self.storage.deliver(self._run)

    def after_fire(self, trigger_name: str, scheduled: Sequence[str]) -> None:
        """Run `_post_fire` for a trigger that has fired and the instances that it scheduled."""
        if _is_overridden(self._post_fire, TriggerManager._post_fire):
            self._post_fire(trigger_name, self._named(scheduled))

    def after_replay(self, original: str, replay: str) -> None:
        """Run `_post_replay`; the new instance is given to a hook that has an argument `replay`."""
        if not _is_overridden(self._post_replay, TriggerManager._post_replay):
            return
        old, new = self._named([original, replay])
        if _takes_replay(self._post_replay):
            self._post_replay(old, replay=new)
        else:
            self._post_replay(old)

    def after_skip(self, instance: str, cascade: bool) -> None:
        """Run `_post_skip`."""
        if _is_overridden(self._post_skip, TriggerManager._post_skip):
            self._post_skip(self._named([instance])[0], cascade)

    def _post_fire(self, trigger_name: str, tasks_scheduled: list[TaskInstance]) -> None:
        """Hook: a trigger has fired, also by a cascade. Not under the session's lock."""

    def _post_replay(self, task_instance: TaskInstance, *, replay: TaskInstance | None = None) -> None:
        """Hook: `task_instance` was replayed, as `replay`. An override may leave `replay` out."""

    def _post_skip(self, task_instance: TaskInstance, cascade: bool) -> None:
        """Hook: a failed instance was skipped, after the `_post_fire` of its cascade."""

    def _has_hooks(self) -> bool:
        pairs = (
            (self._post_fire, TriggerManager._post_fire),
            (self._post_replay, TriggerManager._post_replay),
            (self._post_skip, TriggerManager._post_skip),
        )
        return any(_is_overridden(hook, own) for hook, own in pairs)

    def _happen(self, event: Event) -> None:
        decision = self.record(event)
        if decision is not None:
            self.run_hooks(event, decision)

    def _run(self, instance: TaskInstance) -> None:
        task_runners.get(instance.config.using or self.default_task_runner_name).run(self, instance)

    def _named(self, names: Sequence[str]) -> list[TaskInstance]:
        self.storage.refresh()
        return [self.storage[name] for name in names]

    def _failed(self, instance: str | Named, wanted: str) -> str:
        found = self._find(instance)
        if found.status != Status.FAILED:
            raise WrongStatus(f"{_told(found)} cannot be {wanted}!")
        return found.name

    def _find(self, instance: str | Named) -> TaskInstance:
        """By name, as it is now: what the caller holds may be older than the session."""
        name = instance if isinstance(instance, str) else instance.name
        self.storage.refresh()
        found = self.storage.instances.get(name)
        if found is None:
            raise InstanceNotFound(f"session {self.storage.uid!r} has no instance {name!r}")
        return found


def _told(instance: TaskInstance) -> str:
    return f'Instance "{instance}" in {instance.status} state'


def _is_overridden(hook: Callable[..., object], own: Callable[..., object]) -> bool:
    return getattr(hook, "__func__", hook) is not own


def _takes_replay(hook: Callable[..., object]) -> bool:
    parameters = inspect.signature(hook).parameters.values()
    return any(each.name == "replay" or each.kind is each.VAR_KEYWORD for each in parameters)
