from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.events import TaskFailed, TaskRetried, TaskStarted, TimerFired, TriggerFired
from triggers.core.exception_view import message_in, view_exception

CHAINED = """Traceback (most recent call last):
  File "app.py", line 1, in <module>
KeyError: 'page'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 3, in <module>
app.errors.Broken: the page is gone
and so is the next one
"""


@pytest.mark.parametrize(
    ("info", "kind", "message"),
    [
        (CHAINED, "app.errors.Broken", "the page is gone\nand so is the next one"),
        ("Traceback …\nValueError: no: such page\n", "builtins.ValueError", "no: such page"),
        ("Traceback …\nValueError\n", "builtins.ValueError", ""),
        ("running for too long, 3 times", "triggers.TimedOut", "running for too long, 3 times"),
        ("", "app.Broken", ""),
    ],
)
def test_the_message_of_an_older_record_is_at_the_end_of_its_traceback(info: str, kind: str, message: str) -> None:
    assert message_in(info, kind) == message


def test_metadata_of_an_exception_are_viewed_with_the_lines_of_the_traceback() -> None:
    metadata = {"exceptionType": b'"app.Broken"', "exceptionInfo": b'"one\\ntwo"', "exceptionMessage": b'"its own"'}

    exception = view_exception(metadata)

    assert exception is not None
    assert (exception.type, exception.message, exception.traceback) == ("app.Broken", "its own", ["one", "two"])
    assert bytes(exception.context) == b"{}"


@pytest.mark.parametrize("metadata", [{}, {"exceptionType": b"null"}, {"exceptionType": b'{"a": 1}'}])
def test_metadata_without_the_class_of_an_exception_have_none(metadata: dict[str, bytes]) -> None:
    assert view_exception(metadata) is None


def test_a_session_says_why_its_instances_failed_also_after_a_record_without_the_message() -> None:
    session = MemorySession({"t_a": {"after": [], "andEvery": "go", "run": "app.a"}})
    for _ in range(2):
        session.apply(TriggerFired(trigger="go"))
    session.apply(TaskFailed(instance="t_a#0", exception_type="app.errors.Broken", exception_info=CHAINED))
    session.apply(TaskRetried(instance="t_a#1", exception_type="app.Busy", exception_message="come again"))

    older, retried, again = session.view().instances

    assert older.exception is not None
    assert older.exception.message == "the page is gone\nand so is the next one"
    assert "exceptionMessage" not in older.metadata
    assert retried.exception is not None
    assert (retried.exception.type, retried.exception.message) == ("app.Busy", "come again")
    assert again.exception is None


def test_the_kwargs_of_an_outcome_do_not_depend_on_whether_the_event_had_a_message() -> None:
    rules = {
        "$edition": 2,
        "t_a": {"after": ["go"], "run": "app.a"},
        "t_page": {"after": ["t_a:failed"], "run": "ops.page"},
    }
    session = MemorySession(rules)
    session.apply(TriggerFired(trigger="go"))

    failed = session.apply(TaskFailed(instance="t_a#0", exception_type="app.Broken", exception_message="no coffee"))

    ((_, kwargs),) = scheduled(failed)
    assert isinstance(kwargs, dict)
    assert set(kwargs["t_a:failed"]) == {"instance", "status", "exceptionType", "exceptionContext"}


def test_an_attempt_that_is_overdue_does_not_keep_the_message_of_the_attempt_before() -> None:
    retry, timeouts = {"attempts": 2, "wait": 1, "jitter": 0}, {"running": 5}
    rule = {"after": ["go"], "retry": retry, "timeouts": timeouts, "run": "app.a"}
    session = MemorySession({"$edition": 2, "t_a": rule})
    session.apply_at(TriggerFired(trigger="go"), 10_000)
    failed_first = TaskFailed(instance="t_a#0", exception_type="app.Broken", exception_message="no coffee")
    session.apply_at(failed_first, 11_000)
    session.apply_at(TimerFired(instance="t_a#0", attempt=1, kind="retry", due=12_000), 12_000)
    session.apply_at(TaskStarted(instance="t_a#0", attempt=2), 13_000)
    session.apply_at(TimerFired(instance="t_a#0", attempt=2, kind="running", due=18_000), 18_000)

    (failed,) = session.view().instances

    assert failed.exception is not None
    assert (failed.exception.type, failed.exception.message) == ("triggers.TimedOut", "running for too long, 2 times")
