"""`TaskConfig` and `TaskInstance`: the objects that applications inspect and that embedded storages save."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from triggers.core.statuses import SKIPPABLE, Status, is_resolved, may_be_replayed
from triggers.itertools import merge_dict_recursive

_LOGS_IRRELEVANT: Final = frozenset({Status.ABANDONED, Status.REPLAYED, Status.SKIPPED})


class TaskConfig:
    """A rule of a session: which task to run, and after which triggers."""

    def __init__(
        self,
        /,
        name: str,
        after: Iterable[str],
        run: str,
        unless: Iterable[str] | None = None,
        using: str | None = None,
        withParams: Mapping[str, Any] | None = None,
        andEvery: str | None = None,
        **extra: Any,
    ) -> None:
        self.name = name
        self.run = run
        self.using = using
        self.with_params: dict[str, Any] = dict(withParams or {})
        self.and_every = andEvery
        self.after: set[str] = {*after, andEvery} if andEvery else set(after)
        """The triggers that the task waits for, including `and_every`."""
        self.unless: set[str] = set(unless or ())
        self.extra: dict[str, Any] = extra
        """Other keys of the rule as they are written: the application's and, in edition 2, the further directives and
        the conditions that `after`, `and_every` and `unless` only summarise."""
        self.edition: int = 1
        """Edition of the session's rules."""

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def extras(self) -> dict[str, Any]:
        """Another name of `extra`, which the framework documents."""
        return self.extra

    @property
    def after_sorted(self) -> list[str]:
        """`after` as a sorted list, for templates."""
        return sorted(self.after)

    @property
    def unless_sorted(self) -> list[str]:
        """`unless` as a sorted list, for templates."""
        return sorted(self.unless)

    @property
    def is_optional(self) -> bool:
        """True if a session may be complete without an instance of the task (`optional` of edition 2)."""
        return self.edition != 1 and self.extra.get("optional") is True

    def uses_trigger(self, trigger_name: str) -> bool:
        """Returns whether the rule names the trigger in `after`, `andEvery` or `unless`."""
        return trigger_name in self.after or trigger_name in self.unless

    def serialize(self) -> dict[str, Any]:
        """Returns the rule as it is written in a configuration.

        Keys in `extra` never override a directive, except for conditions of edition 2, which `after`, `and_every` and
        `unless` only summarise.
        """
        written = {"after": self.after_sorted, "unless": self.unless_sorted, "andEvery": self.and_every}
        conditions = written | {key: self.extra[key] for key in written if key in self.extra}
        return self.extra | conditions | {"run": self.run, "using": self.using, "withParams": self.with_params}


class TaskInstance:
    """One execution slot of a task: its status, its kwargs and its metadata, as the storage read them last."""

    LOG_LEVEL_THRESHOLD = logging.ERROR
    """Level from which on logs count as unresolved until they are marked as resolved."""

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
    META_EXCEPTION_MESSAGE = "exceptionMessage"
    META_EXCEPTION_TYPE = "exceptionType"
    META_LOG_LEVEL = "logLevel"
    META_LOGS_RESOLVED = "logsResolved"
    META_PARENT = "parent"
    META_RESULT = "result"
    META_TIMESTAMPS = "timestamps"

    TIMESTAMP_CREATED = "created"
    TIMESTAMP_LAST_MODIFIED = "lastModified"

    def __init__(
        self,
        name: str,
        config: TaskConfig,
        status: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        abandonState: Iterable[str] | None = None,
        *,
        engine: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.status = str(status or Status.UNSTARTED)
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.kwargs: dict[str, Any] = dict(kwargs or {})
        """Kwargs that each trigger was fired with, by trigger."""
        self.abandon_state: set[str] = set(abandonState or ())
        self.engine: dict[str, Any] = dict(engine or {})
        """Further state of the engine, such as the attempt, the sequence number in the session and the due time."""

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def can_schedule(self) -> bool:
        """True if the instance is unstarted."""
        return self.status == Status.UNSTARTED

    @property
    def can_skip(self) -> bool:
        """True if `skip_failed_instance` accepts the instance."""
        return self.status in SKIPPABLE

    @property
    def can_replay(self) -> bool:
        """True if `replay_failed_instance` accepts the instance: a failed, or in edition 2 expired or cancelled one."""
        return may_be_replayed(self.status, self.config.edition)

    @property
    def can_abandon(self) -> bool:
        """True if the instance is unstarted and all triggers in `unless` were fired."""
        return self.can_schedule and bool(self.config.unless) and self.config.unless <= self.abandon_state

    @property
    def can_run(self) -> bool:
        """True if the instance is unstarted, has the kwargs of all triggers in `after` and cannot be abandoned."""
        complete = bool(self.config.after) and self.config.after <= self.kwargs.keys()
        return self.can_schedule and complete and not self.can_abandon

    @property
    def cooldown(self) -> float:
        """Seconds between scheduling and running the instance. For a failed one, the cooldown of its retry."""
        cooldown: float = self.engine.get("cooldown") or self.metadata.get(self.META_COOLDOWN) or 0
        return cooldown

    @property
    def call_kwargs(self) -> dict[str, Any]:
        """Kwargs with which the task of an embedded storage is called.

        They are those of the triggers, merged over `withParams`, or the result of `with` in edition 2.
        """
        call: dict[str, Any] | None = self.engine.get("call")
        return merge_dict_recursive(self.config.with_params, self.kwargs) if call is None else call

    @property
    def attempt(self) -> int:
        """Number of attempts issued so far, so the number of the current one."""
        return int(self.engine.get("attempt", 0))

    @property
    def depth(self) -> int:
        """Number of replays and retries that led to this instance."""
        return int(self.metadata.get(self.META_DEPTH, 0))

    @property
    def is_resolved(self) -> bool:
        """True if the instance is finished, skipped, abandoned or replayed, or in edition 2 expired or cancelled.

        A failed one is unresolved.
        """
        return is_resolved(self.status, self.config.edition)

    @property
    def last_modified(self) -> datetime | None:
        """Time of the last change, as a naive datetime in UTC; None if it is unknown."""
        return (self.metadata.get(self.META_TIMESTAMPS) or {}).get(self.TIMESTAMP_LAST_MODIFIED)

    @property
    def log_level(self) -> int:
        """Highest level that the task logged. It is NOTSET if the task logged nothing or has not run."""
        return int(self.metadata.get(self.META_LOG_LEVEL, logging.NOTSET))

    @property
    def log_level_name(self) -> str:
        """Name of `log_level`, such as ERROR."""
        return logging.getLevelName(self.log_level)

    @property
    def logs_relevant(self) -> bool:
        """True if the logs matter. Those of abandoned, replayed and skipped instances do not."""
        return self.status not in _LOGS_IRRELEVANT

    @property
    def logs_resolved(self) -> bool:
        """True if the logs are irrelevant, below `LOG_LEVEL_THRESHOLD`, or marked as resolved."""
        harmless = self.log_level < self.LOG_LEVEL_THRESHOLD
        return not self.logs_relevant or harmless or bool(self.metadata.get(self.META_LOGS_RESOLVED, False))

    def serialize(self) -> dict[str, Any]:
        """Returns a plain dict for people and tests. It omits `engine`, which a storage's `_serialize` includes."""
        return {
            "abandonState": sorted(self.abandon_state),
            "kwargs": self.kwargs,
            "metadata": self.metadata,
            "status": self.status,
            "task": self.config.name,
        }
