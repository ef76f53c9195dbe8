"""What a running task knows about its run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from triggers.logging import ContextLogger, logging_to
from triggers.manager import TriggerManager
from triggers.registry import storage_backends, trigger_managers
from triggers.types import TaskInstance

Kwargs = Mapping[str, Any]


class TaskContext:
    """What a `TriggerTask` knows about the run it is in."""

    def __init__(  # noqa: PLR0913, PLR0917  # what the command carries
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
        """`<task>#<n>`."""
        self.manager_type = manager_type
        """Key of the manager in `trigger_managers`."""
        self.storage_type = storage_type
        """Key of the storage in `storage_backends`."""
        self.storage_uid = storage_uid
        """UID of the session."""
        self.trigger_kwargs: dict[str, Any] = dict(trigger_kwargs or {})
        """Trigger -> the kwargs it was fired with."""
        self.extra_args = extra_args
        self.extra_kwargs: dict[str, Any] = dict(extra_kwargs or {})
        """What the task was called with beside all this."""
        self.attempt = attempt
        """The how-manieth command of the instance this is, from 1; 0: not known."""
        self.log_level = logging.NOTSET
        """Highest level that was logged through `get_logger_context`."""
        self._storage_arguments = dict(storage_arguments or {})
        self._logger_name = logger_name

    @cached_property
    def manager(self) -> TriggerManager:
        """The session's manager: a task may fire triggers. Made on first use. Raises UnknownKey."""
        storage = storage_backends.get(self.storage_type, self.storage_uid, **self._storage_arguments)
        manager: TriggerManager = trigger_managers.get(self.manager_type, storage)
        return manager

    @property
    def task_instance(self) -> TaskInstance:
        """This instance, as `manager.storage` saw it last. Blocks; raises what reading a session raises."""
        return self.manager.storage[self.instance_name]

    def get_logger_context(
        self, logger: logging.Logger | Kwargs | None = None, context: Kwargs | None = None
    ) -> AbstractContextManager[ContextLogger]:
        """A logger for a `with` block, the one of the task's name unless another is given.

        The highest level logged becomes the `logLevel` of the result; an exception that leaves the block is logged, so
        it counts as an error. A mapping as the only argument is the context.
        """
        if isinstance(logger, Mapping):
            logger, context = None, logger
        return logging_to(logger or logging.getLogger(self._logger_name), context or {}, self._note)

    def filter_kwargs(self, filters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The trigger kwargs after the Filters library's chains: trigger -> key -> filter.

        What has no filter passes through; a trigger that did not fire is `{}`. Raises ValueError with the
        `filter_errors` in its `context`; ImportError where the library is not installed.
        """
        from triggers.kwargs_filters import filter_kwargs  # noqa: PLC0415  # an optional library

        return filter_kwargs(self.trigger_kwargs, filters)

    def _note(self, level: int) -> None:
        self.log_level = max(self.log_level, level)
