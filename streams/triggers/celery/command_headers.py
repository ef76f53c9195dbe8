"""Finds the command of a Celery request in its header or, where Celery has lost the header, in the task id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

from triggers.core.commands import RunTask
from triggers.results.result_events import CommandName

HEADER: Final = "triggers"
"""Name of the message header; Celery passes it on when a task retries itself through the application's own broker."""
_TASK_ID = re.compile(r"(?P<session>.+)/(?P<instance>[^/]+#[0-9]+)/(?P<attempt>[0-9]+)", re.DOTALL)


class Request(Protocol):
    """The part of Celery's request that this module reads."""

    def get(self, key: str, /) -> object:
        """Returns a header or a field of the request, or None."""


def command_name(command: RunTask) -> CommandName:
    """Returns the name of a command."""
    return CommandName(session=command.session, instance=command.instance, attempt=command.attempt)


def command_headers(command: RunTask, **coordinates: int) -> dict[str, object]:
    """Returns the message headers with which a result names its command.

    `coordinates` are those of the command's record, for log lines.
    """
    return header_of(command_name(command), **coordinates)


def header_of(name: CommandName, **coordinates: int) -> dict[str, object]:
    """Returns the message headers that name a command."""
    return {HEADER: {"session": name.session, "instance": name.instance, "attempt": name.attempt, **coordinates}}


def command_of(request: Request | None, task_id: str | None) -> CommandName | None:
    """Returns the command of a request, or None for a task that the application sent itself.

    The header takes precedence, because UIDs and task names may contain `/`, so a task id can be ambiguous.
    """
    header = request.get(HEADER) if request is not None else None
    if isinstance(header, Mapping) and (named := named_by(header)) is not None:
        return named
    match = _TASK_ID.fullmatch(task_id or "")
    if match is None:
        return None
    return CommandName(session=match["session"], instance=match["instance"], attempt=int(match["attempt"]))


def named_by(header: Mapping[str, object]) -> CommandName | None:
    """Returns the command that the header names, or None if the header is not ours.

    Values that are not text are not converted, because the result could then go to another session.
    """
    session, instance, attempt = (header.get(name) for name in ("session", "instance", "attempt"))
    if isinstance(session, str) and isinstance(instance, str) and isinstance(attempt, int):
        return CommandName(session=session, instance=instance, attempt=int(attempt))
    return None
