"""Every way in which a task can end becomes exactly one outcome, in every pool, and does not end the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.celery_process import celery_worker
from tests.support.commands import Results, issue_commands, make_command, read_events, wait_for_results
from tests.support.topic_setup import create_topics

from triggers.core.commands import RunTask
from triggers.core.events import TaskFailed, TaskFinished, TaskRetried, TaskStarted, TaskStatusChanged, TriggerFired
from triggers.settings import Settings

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
ODD_SESSION = "a/b#1/2 \n über/"
PAGE: Mapping[str, Any] = {"page": {"n": 1}}

FAILURES = {
    "raises": ("builtins.ValueError", "no such page"),
    "raises_unpicklable": (f"{TASKS}.UnpicklableError", "has a lock"),
    "raises_odd_text": ("builtins.ValueError", "characters omitted"),
    "out_of_memory": ("builtins.MemoryError", "too much"),
    "returns_object": ("triggers.errors.CallError", "result['subject']: BadText cannot be JSON"),
    "returns_large": ("triggers.errors.TooLarge", "max_payload_bytes"),
    "rejects": ("celery.exceptions.Reject", "do not want"),
    "requeues": ("celery.exceptions.Reject", "not now"),
    "ignores": ("celery.exceptions.Ignore", "Ignore"),
    "sends": ("triggers.celery.no_broker.NoCeleryBroker", "no Celery broker"),
    "echoo": ("celery.exceptions.NotRegistered", f"did you mean '{TASKS}.echo'?"),
    "plain": ("builtins.TypeError", "unexpected keyword argument 'other'"),
}
"""Task -> class and part of the traceback, the same in every pool."""
FAILURES_OF_CHILDREN = {
    "too_long_softly": ("billiard.exceptions.SoftTimeLimitExceeded", "SoftTimeLimitExceeded"),
    "too_long": ("billiard.exceptions.TimeLimitExceeded", "TimeLimitExceeded"),
    "exits_hard": ("billiard.exceptions.WorkerLostError", "exitcode 7"),
    "crashes": ("billiard.exceptions.WorkerLostError", "SIGSEGV"),
    "kills_itself": ("billiard.exceptions.WorkerLostError", "SIGKILL"),
}
"""Tasks that only a pool of processes survives."""
DISCOVERED = {
    "found": {},
    "late": {"how": {"ends": "well"}},
    "autoretries": {},
    "late raises": {"how": {"ends": "raising"}},
    "replaces": {},
    "sends_chain": {},
}
"""Shared tasks that Celery discovers, by name and what they do -> kwargs."""
DISCOVERED_IN_CHILDREN = {"late killed": {"how": {"ends": "killed"}}, "late_too_long": {}}
CLASSIC = {
    "nothing": {"do": "return"},
    "mapping": {"do": "return", "returns": {"subjectId": 42}},
    "list": {"do": "return", "returns": [1]},
    "skip": {"do": "skip"},
    "status": {"do": "status"},
    "retry": {"do": "retry"},
    "raise": {"do": "log and raise"},
    "fire": {"do": "fire"},
}


def _named(name: str, number: int = 0, **fields: Any) -> RunTask:
    return make_command(f"{TASKS}.{name}", ODD_SESSION, number, **fields)


def _commands(*, children: bool) -> dict[str, RunTask]:
    failures = FAILURES | (FAILURES_OF_CHILDREN if children else {})
    failing = {name: _named(name, kwargs={"other": {}} if name == "plain" else {}) for name in failures}
    plain = {
        f"plain {value}": _named("plain", n, kwargs={"page": {"returns": value}})
        for n, value in enumerate([None, 0, False, "", [], {"a": 1}, [7], "text"], start=1)
    }
    classic = {
        f"classic {name}": make_command("tests.Classic", ODD_SESSION, n, kwargs={"page": page})
        for n, (name, page) in enumerate(CLASSIC.items())
    }
    shared = {
        f"shared {name}": make_command(
            f"tests.support.discovered.tasks.{name.split()[0]}", ODD_SESSION, n, kwargs=kwargs
        )
        for n, (name, kwargs) in enumerate((DISCOVERED | (DISCOVERED_IN_CHILDREN if children else {})).items())
    }
    others = {
        "exits": _named("exits"),
        "echo": _named("echo", attempt=3, depth=2, kwargs=PAGE, using="celery"),
        "ignores_result": _named("ignores_result"),
        "retries": _named("retries"),
        "runner": _named("echo", 1, using="threading"),
        "exhausted": make_command("tests.Classic", ODD_SESSION, 99, depth=2, kwargs={"page": {"do": "retry"}}),
    }
    return failing | plain | classic | shared | others


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        pytest.param(["--pool=prefork", "-c2"], {}, id="prefork, fork"),
        pytest.param(["--pool=prefork", "-c2"], {"TEST_START_METHOD": "spawn"}, id="prefork, spawn"),
        pytest.param(["--pool=threads", "-c3"], {}, id="threads"),
        pytest.param(["--pool=solo"], {}, id="solo"),
    ],
)
def test_every_end_of_a_task_is_one_outcome(
    settings: Settings, options: list[str], environment: dict[str, str]
) -> None:
    create_topics(settings)
    commands = _commands(children="prefork" in options[0])
    issue_commands(settings, commands.values())

    with celery_worker(settings, *options, **environment) as worker:
        results = wait_for_results(settings, commands.values(), worker)
        issue_commands(settings, [last := _named("quick")])
        results = wait_for_results(settings, [last], worker)
        code = worker.terminate()

    assert code == 0
    assert {name: len(results[one.id]) for name, one in commands.items() if len(results[one.id]) != 1} == {}
    _check_failures(commands, results)
    _check_plain(commands, results)
    _check_classic(commands, results)
    _check_shared(commands, results)
    _check_starts(settings, commands)


def _check_failures(commands: dict[str, RunTask], results: Results) -> None:
    for name, (kind, text) in (FAILURES | FAILURES_OF_CHILDREN).items():
        if name in commands:
            event = _failure(results, commands[name])
            assert event.exception_type == kind, name
            assert text in event.exception_info, name
            assert "Traceback" in event.exception_info or name in {"too_long", "echoo", "returns_large"}, name
    assert json.loads(_failure(results, commands["raises"]).exception_context)["page"] == 7
    assert "lock" in json.loads(_failure(results, commands["raises_unpicklable"]).exception_context)
    assert "threading" in _failure(results, commands["runner"]).exception_info
    assert "3" in _failure(results, commands["exits"]).exception_info


def _check_plain(commands: dict[str, RunTask], results: Results) -> None:
    expected = {
        "None": {},
        "0": {"result": 0},
        "False": {"result": False},
        "": {"result": ""},
        "[]": {"result": []},
        "{'a': 1}": {"a": 1},
        "[7]": {"result": [7]},
        "text": {"result": "text"},
    }
    assert {name: _result(results, commands[f"plain {name}"]) for name in expected} == expected
    assert _result(results, commands["ignores_result"]) == {"n": 1}
    retried = results[commands["retries"].id][0]
    assert isinstance(retried, TaskRetried), "the engine carries out Celery's own retry"
    assert retried.exception_type == "builtins.OSError"
    echo = commands["echo"]
    assert _result(results, echo) == {"kwargs": PAGE, "id": echo.id, "session": ODD_SESSION, "attempt": 3}


def _check_shared(commands: dict[str, RunTask], results: Results) -> None:
    failures = {
        "late raises": ("builtins.ValueError", "late"),
        "late killed": ("billiard.exceptions.WorkerLostError", "SIGKILL"),
        "late_too_long": ("billiard.exceptions.TimeLimitExceeded", "TimeLimitExceeded"),
        "replaces": ("triggers.celery.no_broker.NoCeleryBroker", "no Celery broker"),
        "sends_chain": ("triggers.celery.no_broker.NoCeleryBroker", "no Celery broker"),
    }
    found = commands["shared found"]
    assert _result(results, found) == {"by": "found", "result": found.id}
    assert _result(results, commands["shared late"]) == {"n": 1}
    assert isinstance(results[commands["shared autoretries"].id][0], TaskRetried)
    for name, (kind, text) in failures.items():
        if f"shared {name}" in commands:
            event = _failure(results, commands[f"shared {name}"])
            assert (event.exception_type, text in event.exception_info) == (kind, True), name


def _check_classic(commands: dict[str, RunTask], results: Results) -> None:
    def classic(name: str) -> Any:  # noqa: ANN401  # any event that the test expects
        return results[commands[name if name == "exhausted" else f"classic {name}"].id][0]

    assert _result(results, commands["classic nothing"]) == {}
    assert _result(results, commands["classic mapping"]) == {"subjectId": 42}
    assert classic("mapping").log_level == 30
    assert json.loads(classic("list").exception_context) == {"actual_result": [1]}
    assert classic("list").exception_type == "builtins.ValueError"
    assert isinstance(classic("skip"), TaskStatusChanged)
    assert (classic("skip").status, json.loads(classic("skip").metadata)) == ("skipped", {"why": "empty"})
    assert (classic("status").status, json.loads(classic("status").metadata)) == ("parked", {"bay": 4})
    _check_retry(classic("retry"))
    assert (classic("raise").exception_type, classic("raise").log_level) == ("builtins.KeyError", 40)
    assert classic("exhausted").exception_type == "triggers.task.MaxRetriesExceeded"
    assert "Attempting retry #3, but `self.max_retries` = 2." in classic("exhausted").exception_info
    replay = json.loads(classic("exhausted").exception_context)["replay_metadata"]
    assert (replay["n"], replay["exceptionType"]) == (1, "builtins.OSError")


def _check_retry(event: TaskRetried) -> None:
    assert isinstance(event, TaskRetried)
    assert event.exception_type == "builtins.OSError"
    assert json.loads(event.metadata) == {"n": 1}
    assert json.loads(event.replacement_kwargs or b"") == {"page": {"do": "return"}}
    assert event.cooldown_ms == 1500
    assert event.log_level == 30


def _check_starts(settings: Settings, commands: dict[str, RunTask]) -> None:
    """Checks that every run is announced before its result."""
    started: set[str] = set()
    fired = []
    for session, event in read_events(settings):
        if isinstance(event, TaskStarted):
            started.add(f"{session}/{event.instance}/{event.attempt}")
        elif isinstance(event, TriggerFired):
            fired.append(event.trigger)
        elif isinstance(event, TaskFinished):
            assert f"{session}/{event.instance}/{event.attempt}" in started
    never = {"echoo", "runner"}
    # the process may end before it announces the run
    at_once = {"crashes", "exits", "exits_hard", "kills_itself", "shared late killed"}
    assert {name for name, one in commands.items() if one.id not in started} - at_once == never
    assert fired == ["fired"]


def _failure(results: Results, one: RunTask) -> TaskFailed:
    event = results[one.id][0]
    assert isinstance(event, TaskFailed), event
    return event


def _result(results: Results, one: RunTask) -> object:
    event = results[one.id][0]
    assert isinstance(event, TaskFinished), event
    result: object = json.loads(event.result)
    return result
