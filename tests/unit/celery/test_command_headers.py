"""A result is assigned to its instance by the task id and a header."""

from __future__ import annotations

import pytest

from triggers.celery.command_headers import command_headers, command_of
from triggers.core.commands import RunTask
from triggers.results.result_events import CommandName


@pytest.mark.parametrize("session", ["s1", "a/b#1/2", "a b\nc", "über/#0/", "/"])
@pytest.mark.parametrize("instance", ["t_a#0", "t a#12", "t_#1#2"])
def test_the_task_id_is_enough_for_any_session(session: str, instance: str) -> None:
    command = RunTask(session=session, instance=instance, attempt=3, run="x")

    assert command_of(None, command.id) == CommandName(session=session, instance=instance, attempt=3)


def test_the_header_names_even_a_task_with_a_slash() -> None:
    command = RunTask(session="a", instance="b/c#0", attempt=1, run="x")

    assert command_of(command_headers(command), command.id) == CommandName(session="a", instance="b/c#0", attempt=1)


@pytest.mark.parametrize("task_id", [None, "", "d7a1c9e0-1b2c", "a/b/c", "a/b#0", "a/b#x/1", "/b#0/1"])
def test_a_task_of_the_application_is_not_a_command(task_id: str | None) -> None:
    headers: dict[str, object] = {}

    assert command_of(headers, task_id) is None


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"session": None, "instance": "t_a#0", "attempt": 1},
        {"session": "s", "instance": "t_a#0", "attempt": "first"},
        {"session": "s", "instance": 5, "attempt": 1},
        "ours",
    ],
)
def test_a_foreign_header_names_no_command(header: object) -> None:
    assert command_of({"triggers": header}, "d7a1c9e0-1b2c") is None
    assert command_of({"triggers": header}, "s9/t_b#0/2") == CommandName(session="s9", instance="t_b#0", attempt=2)
