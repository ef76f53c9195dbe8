"""`TaskContext`: the kwargs, the session and the instance of a running task."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from triggers.logging import ContextLogger, logging_to
from triggers.manager import TriggerManager
from triggers.registry import storage_backends, trigger_managers
from triggers.results.result_events import CommandName
from triggers.types import TaskInstance

Kwargs = Mapping[str, Any]

_command: ContextVar[CommandName | None] = ContextVar("triggers_command", default=None)


@contextmanager
def running_command(name: CommandName) -> Iterator[None]:
    """Says in this thread which command is running, where no request of Celery says it."""
    token = _command.set(name)
    try:
        yield
    finally:
        _command.reset(token)


def command_of_thread() -> CommandName | None:
    """Returns the command that `running_command` has named, or None."""
    return _command.get()


class TaskContext:
    """The argument of `TriggerTask._run`: the kwargs, the session and the instance of the task that is running."""

    def __init__(
        self,
        instance_name: str,
        manager_type: str,
        storage_type: str,
        storage_uid: str,
        trigger_kwargs: Mapping[str, Kwargs],
        extra_args: tuple[Any, ...] = (),
        extra_kwargs: Kwargs | None = None,
        *,
        attempt: int = 0,
        storage_arguments: Kwargs | None = None,
        logger_name: str = "triggers.task",
    ) -> None:
        self.instance_name = instance_name
        """Name of the instance, `<task>#<number>`."""
        self.manager_type = manager_type
        """Key of the session's manager in `trigger_managers`."""
        self.storage_type = storage_type
        """Key of the session's storage in `storage_backends`."""
        self.storage_uid = storage_uid
        """UID of the task's session."""
        self.trigger_kwargs: dict[str, Any] = dict(trigger_kwargs or {})
        """Kwargs of the instance by trigger: what each trigger was fired with, merged over the rule's `withParams`."""
        self.extra_args = extra_args
        self.extra_kwargs: dict[str, Any] = dict(extra_kwargs or {})
        """Further keyword arguments that the task was called with; on the stream there are none."""
        self.attempt = attempt
        """The attempt's number within the instance, counting from 1; 0 if it is unknown."""
        self.log_level = logging.NOTSET
        """Highest level that was logged with a logger of `get_logger_context`."""
        self._storage_arguments = dict(storage_arguments or {})
        self._logger_name = logger_name

    @cached_property
    def manager(self) -> TriggerManager:
        """The session's manager, with which the task may fire further triggers. It is created on first use.

        Raises UnknownKey if this process does not know the manager or the storage, or the import error of its class.
        """
        storage = storage_backends.get(self.storage_type, self.storage_uid, **self._storage_arguments)
        manager: TriggerManager = trigger_managers.get(self.manager_type, storage)
        return manager

    @property
    def task_instance(self) -> TaskInstance:
        """This instance, as `manager.storage` read it last.

        Blocks if the session was not read yet. Raises TryAgain if the storage does not answer.
        """
        return self.manager.storage[self.instance_name]

    def get_logger_context(
        self, logger: logging.Logger | Kwargs | None = None, context: Kwargs | None = None
    ) -> AbstractContextManager[ContextLogger]:
        """Returns a logger for a `with` block, which adds `context` to every record. Its name is that of the task.

        The highest level that is logged becomes the `logLevel` of the result. An exception that leaves the block is
        logged as an error and propagates. `logger` replaces the task's logger. If the first argument is a mapping, it
        is the context.
        """
        if isinstance(logger, Mapping):
            logger, context = None, logger
        return logging_to(logger or logging.getLogger(self._logger_name), context or {}, self._raise_log_level)

    def filter_kwargs(self, filters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Returns the trigger kwargs after applying filters of the Filters library to them.

        `filters` maps triggers to keys to filters. Values without a filter are returned unchanged; a trigger that was
        not fired counts as `{}`. Raises ValueError, with `filter_errors` in its `context`, if a filter rejects a value,
        and ImportError if the library is not installed.
        """
        from triggers.running.kwargs_filters import filter_kwargs

        return filter_kwargs(self.trigger_kwargs, filters)

    def _raise_log_level(self, level: int) -> None:
        self.log_level = max(self.log_level, level)
