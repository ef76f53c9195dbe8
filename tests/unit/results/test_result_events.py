"""A task's result or exception becomes an event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from triggers.core.events import TaskFailed, TaskFinished, TaskRetried, TaskStarted, TaskStatusChanged
from triggers.results.result_events import (
    MAX_TRACEBACK_CHARACTERS,
    CommandName,
    RetryAsked,
    StatusSetByTask,
    Verdict,
    failed_event,
    finished_event,
    started_event,
    verdict_event,
)

NAME = CommandName(session="s1", instance="t_a#0", attempt=2)
LIMIT = 1000


def _result(value: object) -> object:
    event = finished_event(NAME, value, 20, LIMIT)
    assert isinstance(event, TaskFinished), event
    result: object = json.loads(event.result)
    return result


def _failure(value: object) -> TaskFailed:
    event = finished_event(NAME, value, 20, LIMIT)
    assert isinstance(event, TaskFailed), event
    return event


class WithContext(Exception):
    """An exception with a context that the test chooses."""

    def __init__(self, context: object, text: str = "broken") -> None:
        super().__init__(text)
        self.context = context


class Hostile:
    """An exception whose `repr` and `str` raise."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __str__(self) -> str:
        raise RuntimeError("no str")


def test_a_start_names_instance_and_attempt() -> None:
    assert started_event(NAME) == TaskStarted(instance="t_a#0", attempt=2)


@pytest.mark.parametrize("value", [None, {}])
def test_no_result_is_an_empty_object(value: object) -> None:
    assert _result(value) == {}


@pytest.mark.parametrize("value", [0, "", [], False, 0.0])
def test_a_falsy_result_is_not_lost(value: object) -> None:
    result = _result(value)

    assert isinstance(result, dict)
    assert (result, type(result["result"])) == ({"result": value}, type(value))


@pytest.mark.parametrize("value", [{"a": {"b": [1, None]}}, MappingProxyType({"a": 1})])
def test_a_mapping_is_the_result(value: Mapping[str, object]) -> None:
    assert _result(value) == dict(value)


@pytest.mark.parametrize(("value", "result"), [(7, 7), ("text", "text"), ([1], [1]), ((1, 2), [1, 2]), (True, True)])
def test_any_other_result_is_wrapped(value: object, result: object) -> None:
    assert _result(value) == {"result": result}


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "result['when']: datetime"),
        ({"names": {"a"}}, "result['names']: set"),
        ({"n": float("nan")}, "result['n']: nan"),
        ({1: 2}, "a key must be a str"),
        ({"text": "\ud800"}, "not Unicode"),
        ({"page": Hostile()}, "result['page']: Hostile"),
        ({"a"}, "result['result']: set"),
        (datetime(2026, 1, 1, tzinfo=UTC), "result['result']: datetime"),
    ],
)
def test_a_result_that_json_cannot_represent_fails_and_names_the_member(value: object, named: str) -> None:
    event = _failure(value)

    assert event.exception_type == "triggers.errors.CallError"
    assert named in event.exception_info
    assert "Traceback" in event.exception_info
    assert event.log_level == 20


def test_a_result_beyond_the_limit_fails_as_too_large() -> None:
    assert _failure({"text": "x" * LIMIT}).exception_type == "triggers.errors.TooLarge"


def test_the_message_of_an_exception_is_its_own_text_as_far_as_it_can_be_sent() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def message(error: Exception) -> str:
        return failed_event(NAME, error, max_payload_bytes=LIMIT).exception_message

    assert message(ValueError("no page 7")) == "no page 7"
    assert message(KeyError("page")) == "'page'"
    assert message(ValueError()) == ""
    assert message(Silent()) == ""
    assert message(ValueError("\ud800")) == "\\ud800"
    assert message(ValueError("x" * 5000)) == "x" * 1999 + "…"


def test_a_failure_carries_type_context_and_traceback() -> None:
    with pytest.raises(WithContext) as raised:
        raise WithContext({"page": 7})

    event = failed_event(NAME, raised.value, log_level=40, max_payload_bytes=LIMIT)

    assert event.exception_type == f"{__name__}.WithContext"
    assert json.loads(event.exception_context) == {"page": 7}
    assert "test_result_events.py" in event.exception_info
    assert event.log_level == 40


@pytest.mark.parametrize("context", [None, "text", 7, ["a"]])
def test_a_context_that_is_not_a_mapping_is_ignored(context: object) -> None:
    assert failed_event(NAME, WithContext(context), max_payload_bytes=LIMIT).exception_context == b"{}"


def test_a_context_that_json_cannot_represent_is_described_member_by_member() -> None:
    event = failed_event(NAME, WithContext({"page": 7, "names": {"a"}, "\ud800": 1, 5: 6}), max_payload_bytes=LIMIT)

    assert json.loads(event.exception_context) == {"page": 7, "names": "{'a'}", "\\ud800": 1, "5": 6}


def test_a_context_above_the_limit_is_replaced_by_its_size() -> None:
    event = failed_event(NAME, WithContext({"text": "x" * LIMIT}), max_payload_bytes=LIMIT)

    assert json.loads(event.exception_context) == {"context_bytes": LIMIT + len('{"text":""}')}


@pytest.mark.parametrize("error", [WithContext({"a": Hostile()}), WithContext({Hostile(): 1}), ValueError(Hostile())])
def test_a_failure_is_reported_even_if_methods_of_its_exception_raise(error: Exception) -> None:
    event = failed_event(NAME, error, max_payload_bytes=LIMIT)

    assert type(error).__name__ in event.exception_type
    json.loads(event.exception_context)


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    event = failed_event(NAME, ValueError("\ud800" + "x" * 10**6 + "the end"), max_payload_bytes=LIMIT)

    assert len(event.exception_info) < MAX_TRACEBACK_CHARACTERS + 100
    assert event.exception_info.startswith("ValueError: \\ud800")
    assert event.exception_info.endswith("the end\n")


def test_a_status_is_set_with_its_metadata() -> None:
    event = verdict_event(NAME, StatusSetByTask(status="parked", metadata={"bay": 4}), LIMIT)

    assert event == TaskStatusChanged(instance="t_a#0", attempt=2, status="parked", metadata=b'{"bay":4}')


def test_a_retry_carries_its_cause_and_its_kwargs() -> None:
    verdict = RetryAsked(
        metadata={"n": 1}, cause=WithContext({"a": {1}}), replacement_kwargs={}, cooldown_ms=1500, log_level=30
    )

    event = verdict_event(NAME, verdict, LIMIT)

    assert isinstance(event, TaskRetried)
    assert (event.metadata, event.replacement_kwargs, event.cooldown_ms) == (b'{"n":1}', b"{}", 1500)
    assert event.exception_type == f"{__name__}.WithContext"
    assert json.loads(event.exception_context) == {"a": "{1}"}


def test_a_retry_without_a_cause_has_no_exception() -> None:
    verdict = RetryAsked(metadata={}, cause=None, replacement_kwargs=None, cooldown_ms=0, log_level=0)

    assert verdict_event(NAME, verdict, LIMIT) == TaskRetried(instance="t_a#0", attempt=2)


@pytest.mark.parametrize(
    "verdict",
    [
        StatusSetByTask(status="parked", metadata={"a": {1}}),
        StatusSetByTask(status="x" * 5000, metadata={}),
        StatusSetByTask(status="parked", metadata={"a": "x" * LIMIT}),
        RetryAsked(metadata={}, cause=None, replacement_kwargs={"a": {1}}, cooldown_ms=0, log_level=0),
        RetryAsked(metadata={}, cause=None, replacement_kwargs=None, cooldown_ms=2**40, log_level=0),
        RetryAsked(metadata={}, cause=None, replacement_kwargs=None, cooldown_ms=-1, log_level=0),
    ],
)
def test_a_verdict_that_a_worker_would_refuse_is_a_failure(verdict: Verdict) -> None:
    assert isinstance(verdict_event(NAME, verdict, LIMIT), TaskFailed)
