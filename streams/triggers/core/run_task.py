"""`RunTask`: the command that runs a task."""

from __future__ import annotations

from dataclasses import dataclass

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class RunTask:
    """A request to run one attempt of an instance. It becomes a record of `<ns>.commands`. Nobody changes it.

    It is a data class rather than a struct, because nearly every event causes one, and compiled code reads the fields
    of a struct thirty times as slowly.
    """

    session: str
    instance: str
    """Name of the instance, `<task>#<n>`."""
    attempt: int
    """Number of the attempt, counted from 1."""
    run: str
    """Name of the Celery task."""
    kwargs: bytes
    """JSON object, trigger -> kwargs, with `withParams` merged in."""
    using: str | None
    """Key of the task runner, or None for the default runner."""
    depth: int
    """Number of replays and retries behind this instance: Celery's `request.retries`."""
    time: int
    """Time of the event that caused the command, in milliseconds since 1970-01-01 UTC."""
    queue: str | None
    """Queue that the rule names. The commands of a queue are on a topic of their own."""
    spans: bytes
    """Spans of the events behind it, as `trace_context` joins them. They are not in the record's value."""

    def __init__(
        self,
        *,
        session: str,
        instance: str,
        attempt: int,
        run: str,
        kwargs: bytes = b"{}",
        using: str | None = None,
        depth: int = 0,
        time: int = 0,
        queue: str | None = None,
        spans: bytes = b"",
    ) -> None:
        self.session = session
        self.instance = instance
        self.attempt = attempt
        self.run = run
        self.kwargs = kwargs
        self.using = using
        self.depth = depth
        self.time = time
        self.queue = queue
        self.spans = spans

    @property
    def id(self) -> str:
        """The task id. It is stable: a command that is delivered twice has the same id both times."""
        return f"{self.session}/{self.instance}/{self.attempt}"
