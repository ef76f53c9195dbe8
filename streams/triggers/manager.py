"""Hop 1: `TriggerManager`, the API through which an application reads and changes a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from triggers.codec import check_trigger_name, encode_configuration, encode_object
from triggers.core.config import validate_configuration
from triggers.core.decision import Decision
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
from triggers.core.statuses import describe_refusal, may_be_set
from triggers.errors import InstanceNotFound, WrongStatus
from triggers.overriding import accepts_keyword, is_overridden
from triggers.registry import default_runner_name, task_runners, trigger_managers
from triggers.storages.contract import Storage
from triggers.types import TaskConfig, TaskInstance

__all__ = ["TriggerManager", "trigger_managers"]

Kwargs = Mapping[str, object]


class Named(Protocol):
    """A `TaskInstance`, or any other object with the name of an instance."""

    @property
    def name(self) -> str:
        """Name of the instance, `<task>#<number>`."""


class TriggerManager:
    """The API of one session: fire triggers, change the rules, resolve failed instances.

    A method that changes the session writes one event and blocks until it is stored; calling it again writes another.
    On the stream, it returns when Kafka has acknowledged the event. A worker applies the event later, or dead-letters
    it if the session no longer allows it; `triggers hooks` runs the hooks. With an embedded storage, the method itself
    applies the event, hands the scheduled instances to their runner and runs the hooks.

    Besides the errors that the docstrings name, every method raises what its storage raises: TryAgain if the storage
    does not answer, and on the stream TooLarge if the event exceeds `max_payload_bytes`.
    """

    triggers__registry_key: ClassVar[str] = "default"
    """The key in `trigger_managers`; the registry sets it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        """The session's storage. Use it to inspect: `storage.instances`, `storage.tasks`, `storage.read()`."""

    @property
    def default_task_runner_name(self) -> str:
        """Key of the runner for rules without `using`; only embedded storages use it.

        Override it as a class attribute of a registered subclass, because workers create the manager again.
        """
        return default_runner_name()

    def fire(
        self,
        trigger_name: str,
        trigger_kwargs: Kwargs | None = None,
        *,
        event_id: str | None = None,
        rules: str | None = None,
    ) -> None:
        """Fires a trigger with optional kwargs, which the tasks that wait for it receive.

        Firing twice is two events. With an `event_id`, firing again with the same id has no effect, so a call that
        raised BrokerUnavailable can be repeated; a session remembers at least its latest 1,024 ids. `rules` names the
        published rules that the session takes if this is its first event; by default, its UID decides.

        Raises CallError for a name that is empty or no text, and if the kwargs cannot be encoded as JSON. It does not
        raise if a runner is unavailable: the command stays in the outbox (`deliver`).
        """
        check_trigger_name(trigger_name)
        kwargs = encode_object(trigger_kwargs, "trigger_kwargs")
        self._write_event(TriggerFired(trigger=trigger_name, kwargs=kwargs, id=event_id, rules=rules))

    def update_configuration(self, configuration: Mapping[str, Mapping[str, object]]) -> None:
        """Adds tasks to the session's rules, and replaces tasks of the same name. It never removes a task.

        `after` and `unless` may be sets. Repeating a call with the same configuration changes no rule.

        Raises InvalidConfiguration, which names the task and the key, if a rule is invalid or names a runner that the
        storage cannot use. On the stream, raises UnknownKey if this manager has hooks and is not registered in
        `trigger_managers`, because another process creates it to run them.
        """
        hooks_of = type(self) if self._has_hooks() else None
        encoded = self.storage.configuration_for(encode_configuration(configuration), hooks_of)
        validate_configuration(encoded)
        self.storage.check_configuration(configuration)
        self._write_event(ConfigurationUpdated(configuration=encoded))

    def delete_session(self) -> None:
        """Deletes the session with its rules, instances and kwargs, even while tasks are running.

        Calling it again, and results that arrive later, have no effect. A later event starts a new session with the
        same UID. The stream deletes a large session in steps, and dead-letters such an event until the last of them.
        """
        self._write_event(DeletionRequested())

    def replay_failed_instance(
        self, failed_instance: str | Named, replacement_kwargs: Mapping[str, Kwargs] | None = None
    ) -> None:
        """Runs a failed instance again, as a new instance; the failed one becomes replayed.

        In edition 2, it also runs an expired or a cancelled instance. `replacement_kwargs` maps triggers to kwargs and
        replaces all kwargs of the instance, so `{}` runs the task without any.

        Raises InstanceNotFound, and WrongStatus for another status, for example because it was replayed already.
        """
        kwargs = None if replacement_kwargs is None else encode_object(replacement_kwargs, "replacement_kwargs")
        current = self._find_instance(failed_instance)
        if not current.can_replay:
            raise WrongStatus(describe_refusal(current.name, current.status, "replayed"))
        self._write_event(ReplayRequested(instance=current.name, replacement_kwargs=kwargs))

    def skip_failed_instance(
        self, failed_instance: str | Named, cascade: bool = False, result: Kwargs | None = None
    ) -> None:
        """Resolves a failed instance without running it again; it becomes skipped.

        With `cascade`, the task's name is fired with `result` as its kwargs, as if the task had returned `result`.

        Raises InstanceNotFound, and WrongStatus if the instance is not failed, for example because it was skipped.
        """
        encoded = encode_object(result, "result")
        current = self._find_instance(failed_instance)
        if not current.can_skip:
            raise WrongStatus(describe_refusal(current.name, current.status, "skipped"))
        self._write_event(SkipRequested(instance=current.name, cascade=cascade, result=encoded))

    def update_instance_status(
        self,
        task_instance: str | Named,
        status: str,
        metadata: Kwargs | None = None,
        cascade: bool = False,
        cascade_kwargs: Kwargs | None = None,
        *,
        force: bool = False,
    ) -> TaskInstance:
        """Sets the status of an instance by hand, merges `metadata` into it and returns the changed instance.

        With `cascade`, the task's name is fired with `cascade_kwargs`. Blocks until the event is applied.

        Raises InstanceNotFound, and WrongStatus for a change that is only allowed with `force`.
        """
        instance = self._find_instance(task_instance)
        if not force and not may_be_set(instance.status, status, instance.config.edition):
            raise WrongStatus(describe_refusal(instance.name, instance.status, f'set to "{status}" without force'))
        event = StatusSet(
            instance=instance.name,
            status=status,
            metadata=encode_object(metadata, "metadata"),
            cascade=cascade,
            cascade_kwargs=encode_object(cascade_kwargs, "cascade_kwargs"),
            force=force,
        )
        self._write_event(event)
        return self._find_instance(instance)

    def update_instance_metadata(self, task_instance: str | Named, metadata: Kwargs) -> None:
        """Merges metadata into an instance; existing keys are overwritten. Raises InstanceNotFound."""
        encoded = encode_object(metadata, "metadata")
        self._write_event(MetadataUpdated(instance=self._find_instance(task_instance).name, metadata=encoded))

    def mark_instance_logs_resolved(self, task_instance: str | Named) -> None:
        """Marks the logs of an instance as seen: they count as resolved from now on. Raises InstanceNotFound."""
        self.update_instance_metadata(task_instance, {"logsResolved": True})

    def get_unresolved_tasks(self) -> list[TaskConfig]:
        """Returns the tasks with no instance yet or with an unresolved one, in declaration order.

        Reads the session again, including everything written through this manager; blocks.
        """
        self.storage.refresh()
        return self.storage.get_unresolved_tasks()

    def get_unresolved_instances(self) -> list[TaskInstance]:
        """Returns the unresolved instances, failed ones included, in creation order. Reloads the session; blocks."""
        self.storage.refresh()
        return self.storage.get_unresolved_instances()

    # -- after an event is written ------------------------------------------------------------------------------------

    def record(self, event: Event) -> Decision | None:
        """Writes an event and hands the scheduled instances of an embedded storage to their runner.

        Workers of embedded storages report with this method. Unlike the other methods it does not run the hooks, so a
        hook that raises cannot undo a report. Returns the decision, or None if the storage does not decide at once.
        """
        with self.storage.acquire_lock():
            decision = self.storage.write(event)
            self.deliver()
        return decision

    def run_hooks(self, event: Event, decision: Decision) -> None:
        """Runs the hooks for an event that the storage has decided. Raises whatever a hook raises."""
        for fire in decision.fires:
            self.after_fire(fire.trigger, fire.scheduled)
        match event:
            case ReplayRequested() | TaskRetried() if decision.commands:
                self.after_replay(event.instance, decision.commands[0].instance)
            case SkipRequested():
                self.after_skip(event.instance, event.cascade)
            case _:
                pass

    def deliver(self) -> list[str]:
        """Hands every command in the outbox of an embedded storage to its runner. Does nothing on the stream.

        Returns the names of the instances whose command stays in the outbox, because their runner raised; the error is
        logged. Every method that changes the session tries these again, so an application calls `deliver` only to
        retry sooner.
        """
        return self.storage.deliver(self._run_instance)

    def run_due(self) -> int:
        """Carries out what is due in an embedded storage: delays, deadlines, retries, timeouts and `sessionTtl`.

        Then runs the hooks. Call it for each session periodically, as `triggers.running.due_sessions` does, because a
        storage has no clock. Returns the number of due timers. Does nothing on the stream, where a worker has a clock.
        """
        written = self.storage.write_due(self.record)
        for event, decision in written:
            self.run_hooks(event, decision)
        return len(written)

    def after_fire(self, trigger_name: str, scheduled: Sequence[str]) -> None:
        """Runs `_post_fire` for a trigger that was fired and the instances that it scheduled."""
        if is_overridden(self._post_fire, TriggerManager._post_fire):
            self._post_fire(trigger_name, self._load_instances(scheduled))

    def after_replay(self, original: str, replay: str) -> None:
        """Runs `_post_replay`; passes the new instance if the hook has a parameter `replay`."""
        if not is_overridden(self._post_replay, TriggerManager._post_replay):
            return
        old, new = self._load_instances([original, replay])
        if accepts_keyword(self._post_replay, "replay"):
            self._post_replay(old, replay=new)
        else:
            self._post_replay(old)

    def after_skip(self, instance: str, cascade: bool) -> None:
        """Runs `_post_skip` for an instance that was skipped."""
        if is_overridden(self._post_skip, TriggerManager._post_skip):
            self._post_skip(self._load_instances([instance])[0], cascade)

    def _post_fire(self, trigger_name: str, tasks_scheduled: list[TaskInstance]) -> None:
        """Hook, called after a trigger was fired, by an application or by a cascade. Does nothing by default.

        The session's lock is not held. On the stream, another process calls the hooks, at least once per decision.
        """

    def _post_replay(self, task_instance: TaskInstance, *, replay: TaskInstance | None = None) -> None:
        """Hook, called after `task_instance` was replayed as `replay`. An override may omit the parameter `replay`."""

    def _post_skip(self, task_instance: TaskInstance, cascade: bool) -> None:
        """Hook, called after a failed instance was skipped and after the `_post_fire` of its cascade."""

    def _has_hooks(self) -> bool:
        pairs = (
            (self._post_fire, TriggerManager._post_fire),
            (self._post_replay, TriggerManager._post_replay),
            (self._post_skip, TriggerManager._post_skip),
        )
        return any(is_overridden(hook, default) for hook, default in pairs)

    def _write_event(self, event: Event) -> None:
        decision = self.record(event)
        if decision is not None:
            self.run_hooks(event, decision)

    def _run_instance(self, instance: TaskInstance) -> None:
        task_runners.get(instance.config.using or self.default_task_runner_name).run(self, instance)

    def _load_instances(self, names: Sequence[str]) -> list[TaskInstance]:
        self.storage.refresh()
        return [self.storage[name] for name in names]

    def _find_instance(self, instance: str | Named) -> TaskInstance:
        """Reads the instance again by its name, because the caller's object may be out of date."""
        name = instance if isinstance(instance, str) else instance.name
        self.storage.refresh()
        current = self.storage.instances.get(name)
        if current is None:
            raise InstanceNotFound(f"session {self.storage.uid!r} has no instance {name!r}")
        return current
