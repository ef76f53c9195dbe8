"""Which command a Celery request belongs to: its own header says so, or, where Celery has lost it, the task id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

from triggers.core.commands import RunTask
from triggers.results.outcomes import CommandName

HEADER: Final = "triggers"
"""Name of the message header; Celery passes it on when a task retries itself through the application's own broker."""


_TASK_ID = re.compile(r"(?P<session>.+)/(?P<instance>[^/]+#[0-9]+)/(?P<attempt>[0-9]+)", re.DOTALL)


class Request(Protocol):
    """What Celery knows of a running task."""

    def get(self, key: str, /) -> object:
        """A header, or a field that Celery put beside them."""


def command_name(command: RunTask) -> CommandName:
    """The name of a command in hand."""
    return CommandName(session=command.session, instance=command.instance, attempt=command.attempt)


def command_headers(command: RunTask) -> dict[str, object]:
    """The headers that let a result find its way back."""
    return {HEADER: {"session": command.session, "instance": command.instance, "attempt": command.attempt}}


def command_of(request: Request | None, task_id: str | None) -> CommandName | None:
    """The command behind a request; None: a task of the application's own, which is none of our business.

    A session's UID may contain anything, a task's name may contain `/` as well: only the header is certain.
    """
    header = request.get(HEADER) if request is not None else None
    if isinstance(header, Mapping) and (named := _from_header(header)) is not None:
        return named
    match = _TASK_ID.fullmatch(task_id or "")
    if match is None:
        return None
    return CommandName(session=match["session"], instance=match["instance"], attempt=int(match["attempt"]))


def _from_header(header: Mapping[str, object]) -> CommandName | None:
    """None: the header is not ours. What is no text must not become one: the result would go to another session."""
    session, instance, attempt = (header.get(name) for name in ("session", "instance", "attempt"))
    if isinstance(session, str) and isinstance(instance, str) and isinstance(attempt, int):
        return CommandName(session=session, instance=instance, attempt=int(attempt))
    return None
