"""A session's tasks and instances as objects: what applications inspect, and what storages save."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from triggers.core.statuses import RESOLVED, Status

_LOGS_IRRELEVANT: Final = frozenset({Status.ABANDONED, Status.REPLAYED, Status.SKIPPED})


class TaskConfig:
    """A rule: what to run, and when."""

    def __init__(  # noqa: PLR0913, PLR0917  # the directives
        self,
        /,
        name: str,
        after: Iterable[str],
        run: str,
        unless: Iterable[str] | None = None,
        using: str | None = None,
        withParams: Mapping[str, Any] | None = None,  # noqa: N803  # a directive's name
        andEvery: str | None = None,  # noqa: N803  # a directive's name
        **extra: Any,  # noqa: ANN401  # the application's own
    ) -> None:
        self.name = name
        self.run = run
        self.using = using
        self.with_params: dict[str, Any] = dict(withParams or {})
        self.and_every = andEvery
        self.after: set[str] = {*after, andEvery} if andEvery else set(after)
        """`and_every` is one of them."""
        self.unless: set[str] = set(unless or ())
        self.extra: dict[str, Any] = extra
        """The application's own keys of the configuration."""

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def extras(self) -> dict[str, Any]:
        """The same as `extra`."""
        return self.extra

    @property
    def after_sorted(self) -> list[str]:
        """For templates."""
        return sorted(self.after)

    @property
    def unless_sorted(self) -> list[str]:
        """For templates."""
        return sorted(self.unless)

    def uses_trigger(self, trigger_name: str) -> bool:
        """Whether the trigger can change an instance of this task."""
        return trigger_name in self.after or trigger_name in self.unless

    def serialize(self) -> dict[str, Any]:
        """The directives, as in a configuration; a key of the application's own never overrides one."""
        return self.extra | {
            "after": self.after_sorted,
            "unless": self.unless_sorted,
            "andEvery": self.and_every,
            "run": self.run,
            "using": self.using,
            "withParams": self.with_params,
        }


class TaskInstance:
    """One execution slot of a task."""

    LOG_LEVEL_THRESHOLD = logging.ERROR
    """Logs of this level and above want somebody to resolve them."""

    STATUS_ABANDONED = str(Status.ABANDONED)
    STATUS_FAILED = str(Status.FAILED)
    STATUS_FINISHED = str(Status.FINISHED)
    STATUS_REPLAYED = str(Status.REPLAYED)
    STATUS_RUNNING = str(Status.RUNNING)
    STATUS_SCHEDULED = str(Status.SCHEDULED)
    STATUS_SKIPPED = str(Status.SKIPPED)
    STATUS_UNSTARTED = str(Status.UNSTARTED)

    META_ACTUAL_KWARGS = "actualKwargs"
    META_ACTUAL_SHARD = "actualShard"
    META_COOLDOWN = "cooldown"
    META_DEPTH = "depth"
    META_EXCEPTION_CONTEXT = "exceptionContext"
    META_EXCEPTION_INFO = "exceptionInfo"
    META_EXCEPTION_TYPE = "exceptionType"
    META_LOG_LEVEL = "logLevel"
    META_LOGS_RESOLVED = "logsResolved"
    META_PARENT = "parent"
    META_RESULT = "result"
    META_TIMESTAMPS = "timestamps"

    TIMESTAMP_CREATED = "created"
    TIMESTAMP_LAST_MODIFIED = "lastModified"

    def __init__(  # noqa: PLR0913, PLR0917  # what storages save, by its name there
        self,
        name: str,
        config: TaskConfig,
        status: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        abandonState: Iterable[str] | None = None,  # noqa: N803  # as storages save it
        *,
        engine: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.status = str(status or Status.UNSTARTED)
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.kwargs: dict[str, Any] = dict(kwargs or {})
        """Trigger -> the kwargs it was fired with."""
        self.abandon_state: set[str] = set(abandonState or ())
        self.engine: dict[str, Any] = dict(engine or {})
        """What the engine needs besides: its attempt, its place among the instances, when it is due."""

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def can_schedule(self) -> bool:
        """Whether it still waits."""
        return self.status == Status.UNSTARTED

    @property
    def can_skip(self) -> bool:
        """Whether `skip_failed_instance` would take it."""
        return self.status == Status.FAILED

    @property
    def can_replay(self) -> bool:
        """Whether `replay_failed_instance` would take it."""
        return self.status == Status.FAILED

    @property
    def can_abandon(self) -> bool:
        """Whether it waits and all of `unless` has fired."""
        return self.can_schedule and bool(self.config.unless) and self.config.unless <= self.abandon_state

    @property
    def can_run(self) -> bool:
        """Whether it waits and has all it waits for."""
        complete = bool(self.config.after) and self.config.after <= self.kwargs.keys()
        return self.can_schedule and complete and not self.can_abandon

    @property
    def cooldown(self) -> float:
        """Seconds between being scheduled and being run; of a failed instance, those that its retry asked for."""
        cooldown: float = self.engine.get("cooldown") or self.metadata.get(self.META_COOLDOWN) or 0
        return cooldown

    @property
    def attempt(self) -> int:
        """Attempts issued so far."""
        return int(self.engine.get("attempt", 0))

    @property
    def depth(self) -> int:
        """Number of replays and retries behind it."""
        return int(self.metadata.get(self.META_DEPTH, 0))

    @property
    def is_resolved(self) -> bool:
        """Whether nothing waits for it any more."""
        return self.status in RESOLVED

    @property
    def last_modified(self) -> datetime | None:
        """UTC, without a time zone."""
        return (self.metadata.get(self.META_TIMESTAMPS) or {}).get(self.TIMESTAMP_LAST_MODIFIED)

    @property
    def log_level(self) -> int:
        """Highest level that the task logged; NOTSET: nothing, or it has not run."""
        return int(self.metadata.get(self.META_LOG_LEVEL, logging.NOTSET))

    @property
    def log_level_name(self) -> str:
        """`log_level` as text."""
        return logging.getLevelName(self.log_level)

    @property
    def logs_relevant(self) -> bool:
        """Whether anybody cares what it logged."""
        return self.status not in _LOGS_IRRELEVANT

    @property
    def logs_resolved(self) -> bool:
        """Whether nobody needs to look at its logs: irrelevant, harmless, or marked as resolved."""
        harmless = self.log_level < self.LOG_LEVEL_THRESHOLD
        return not self.logs_relevant or harmless or bool(self.metadata.get(self.META_LOGS_RESOLVED, False))

    def serialize(self) -> dict[str, Any]:
        """As a plain dict, for people and tests; a storage's `_serialize` also keeps what the engine needs."""
        return {
            "abandonState": sorted(self.abandon_state),
            "kwargs": self.kwargs,
            "metadata": self.metadata,
            "status": self.status,
            "task": self.config.name,
        }
