"""Hop 1: what an application does with a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from triggers.codec import encode_object
from triggers.core.config import validate_configuration
from triggers.core.events import (
    ConfigurationUpdated,
    DeletionRequested,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TriggerFired,
)
from triggers.core.statuses import Status, may_be_set
from triggers.core.view import InstanceView, TaskView
from triggers.errors import InstanceNotFound, WrongStatus
from triggers.storages.contract import Storage

Kwargs = Mapping[str, object]


class Named(Protocol):
    """An instance, or anything else that knows the name of one."""

    @property
    def name(self) -> str:
        """`<task>#<n>`."""


class TriggerManager:
    """The API of one session.

    Every call that changes something writes one event and returns when the storage has it; what it leads to happens
    after that. Beside the errors named here, every call raises what its storage raises (`Storage`).
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        """For inspection: `storage.read()`."""

    def fire(self, trigger_name: str, trigger_kwargs: Kwargs | None = None, *, event_id: str | None = None) -> None:
        """Fire a trigger. With an `event_id`, firing again with the same one changes nothing.

        Raises CallError for kwargs that are no JSON.
        """
        kwargs = encode_object(trigger_kwargs, "trigger_kwargs")
        self.storage.write(TriggerFired(trigger=trigger_name, kwargs=kwargs, id=event_id))

    def update_configuration(self, configuration: Mapping[str, Mapping[str, object]]) -> None:
        """Add tasks, or replace tasks of the same name; `after` and `unless` may be sets.

        Raises InvalidConfiguration that names the task and the key.
        """
        encoded = encode_object(_with_lists(configuration), "configuration")
        validate_configuration(encoded)
        self.storage.write(ConfigurationUpdated(configuration=encoded))

    def delete_session(self) -> None:
        """Delete the session: everything in it, whatever runs. Results that come later change nothing.

        Twice does no more than once; a later event begins a new session of the same UID.
        """
        self.storage.write(DeletionRequested())

    def replay_failed_instance(
        self, failed_instance: str | Named, replacement_kwargs: Mapping[str, Kwargs] | None = None
    ) -> None:
        """Run a failed instance again, as a new instance; `replacement_kwargs` (trigger -> kwargs) replace all of its.

        Raises WrongStatus unless it is failed, InstanceNotFound.
        """
        kwargs = None if replacement_kwargs is None else encode_object(replacement_kwargs, "replacement_kwargs")
        name = self._failed(failed_instance, "replayed")
        self.storage.write(ReplayRequested(instance=name, replacement_kwargs=kwargs))

    def skip_failed_instance(
        self, failed_instance: str | Named, cascade: bool = False, result: Kwargs | None = None
    ) -> None:
        """Resolve a failed instance; with `cascade`, as if its task had returned `result`.

        Raises WrongStatus unless it is failed, InstanceNotFound.
        """
        encoded = encode_object(result, "result")
        name = self._failed(failed_instance, "skipped")
        self.storage.write(SkipRequested(instance=name, cascade=cascade, result=encoded))

    def update_instance_status(  # noqa: PLR0913  # the signature that applications of the old framework call
        self,
        instance: str | Named,
        status: str,
        metadata: Kwargs | None = None,
        cascade: bool = False,
        cascade_kwargs: Kwargs | None = None,
        *,
        force: bool = False,
    ) -> InstanceView:
        """Set a status by hand and return the instance after that; with `cascade`, fire the task's name as well.

        Raises WrongStatus for a change that only `force` allows, InstanceNotFound.
        """
        found = self._find(instance)
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
        self.storage.write(event)
        return self._find(found)

    def update_instance_metadata(self, instance: str | Named, metadata: Kwargs) -> None:
        """Merge metadata into an instance. Raises InstanceNotFound."""
        encoded = encode_object(metadata, "metadata")
        self.storage.write(MetadataUpdated(instance=self._find(instance).name, metadata=encoded))

    def mark_instance_logs_resolved(self, instance: str | Named) -> None:
        """Note that somebody has seen what the instance logged. Raises InstanceNotFound."""
        self.update_instance_metadata(instance, {"logsResolved": True})

    def get_unresolved_tasks(self) -> list[TaskView]:
        """Tasks with no instance yet, or with an unresolved one, in declaration order."""
        session = self.storage.read()
        return [task for task in session.tasks if task.name in session.unresolved_tasks]

    def get_unresolved_instances(self) -> list[InstanceView]:
        """Instances that something still waits for, failed ones included, in creation order."""
        return [instance for instance in self.storage.read().instances if not instance.resolved]

    def _failed(self, instance: str | Named, wanted: str) -> str:
        found = self._find(instance)
        if found.status != Status.FAILED:
            raise WrongStatus(f"{_told(found)} cannot be {wanted}!")
        return found.name

    def _find(self, instance: str | Named) -> InstanceView:
        """By name: what the caller holds may be older than the session."""
        name = instance if isinstance(instance, str) else instance.name
        for found in self.storage.read().instances:
            if found.name == name:
                return found
        raise InstanceNotFound(f"session {self.storage.uid!r} has no instance {name!r}")


def _told(instance: InstanceView) -> str:
    return f'Instance "{instance.name} ({instance.status})" in {instance.status} state'


def _with_lists(configuration: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """The configuration with sorted lists in the place of sets, whose order is not the same in every process."""
    return {task: _each_listed(directives) for task, directives in configuration.items()}


def _each_listed(directives: object) -> object:
    if not isinstance(directives, Mapping):
        return directives
    return {key: _listed(value) for key, value in directives.items()}


def _listed(value: object) -> object:
    are_names = isinstance(value, set | frozenset) and all(isinstance(name, str) for name in value)
    return sorted(value) if are_names else value  # type: ignore[call-overload]  # checked in the line above
