"""Configurations are validated, compiled and merged. An error names the task, the key and the fix."""

from __future__ import annotations

import json

import pytest
from tests.support.memory_session import MemorySession

from triggers.core.config import validate_configuration
from triggers.core.plan import NO_CONFIGURATION
from triggers.core.state.plans import Plans
from triggers.errors import InvalidConfiguration

TASK = {"after": ["a"], "run": "app.A"}


@pytest.mark.parametrize(
    ("directives", "words"),
    [
        ({"run": "app.A"}, ["after", "missing", "list of trigger names"]),
        ({"after": ["a"]}, ["run", "missing", "Celery task"]),
        ({"after": "ab", "run": "app.A"}, ["after", "list of trigger names", '"ab"']),
        ({"after": [1], "run": "app.A"}, ["after", "list of trigger names"]),
        ({"after": None, "run": "app.A"}, ["after", "list of trigger names", "null"]),
        (TASK | {"run": ["app.A"]}, ["run", "Celery task"]),
        (TASK | {"andEvery": ["p"]}, ["andEvery", "one trigger name", '["p"]']),
        (TASK | {"unless": "x"}, ["unless", "list of trigger names"]),
        (TASK | {"using": 1}, ["using", "task runner"]),
        (TASK | {"withParams": []}, ["withParams", "JSON object"]),
        (TASK | {"name": "x"}, ["name"]),
        ([], ["JSON object"]),
    ],
)
def test_a_wrong_directive_is_refused_naming_task_key_and_fix(directives: object, words: list[str]) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        validate_configuration(json.dumps({"t_ok": TASK, "t_new": directives}).encode())

    assert all(word in str(refused.value) for word in ["t_new", *words])


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b'"t"', b"{", b'{"t": }'])
def test_a_configuration_must_be_a_json_object(text: bytes) -> None:
    with pytest.raises(InvalidConfiguration):
        validate_configuration(text)


def test_a_serialised_task_with_nulls_is_accepted_again() -> None:
    nulls: dict[str, object] = {"andEvery": None, "unless": [], "using": None, "withParams": None}

    validate_configuration(json.dumps({"t_a": TASK | nulls}).encode())


def test_other_keys_are_kept_verbatim_as_extra() -> None:
    plan = Plans().merge(NO_CONFIGURATION, b'{"t": {"after": [], "run": "r", "andevery": "p", "x": 1.50}}')

    assert plan.tasks["t"].extra == {"andevery": b'"p"', "x": b"1.50"}
    assert plan.tasks["t"].and_every is None


def test_and_every_is_one_of_after() -> None:
    plan = Plans().merge(NO_CONFIGURATION, b'{"t": {"after": ["b"], "andEvery": "a", "run": "r"}}')

    assert plan.tasks["t"].after == ("a", "b")


def test_a_replaced_task_keeps_its_place_and_a_new_one_comes_last() -> None:
    session = MemorySession({"t_1": TASK, "t_2": TASK})

    session.configure({"t_3": TASK, "t_1": {"after": ["b"], "run": "app.New"}})

    assert [(task.name, task.run) for task in session.view().tasks] == [
        ("t_1", "app.New"),
        ("t_2", "app.A"),
        ("t_3", "app.A"),
    ]


def test_equal_updates_of_equal_configurations_are_compiled_once_for_all_sessions() -> None:
    plans, update = Plans(), json.dumps({"t": TASK}).encode()

    assert plans.merge(NO_CONFIGURATION, update) is plans.merge(NO_CONFIGURATION, update)


def test_ten_thousand_rules_are_accepted_and_a_trigger_finds_its_own() -> None:
    session = MemorySession({f"t_{n}": {"after": [f"x{n}"], "run": "app.A"} for n in range(10_000)})

    assert [name for name, _ in session.fire("x9999").changed] == ["t_9999#0", "t_9999#0"]


def test_a_refused_update_changes_nothing() -> None:
    session = MemorySession({"t_a": TASK})
    rows = dict(session.rows)

    with pytest.raises(InvalidConfiguration):
        session.configure({"t_good": TASK, "t_bad": {}})

    assert session.rows == rows


def test_a_long_wrong_value_of_another_alphabet_is_refused_like_any_other() -> None:
    text = json.dumps({"t": {"after": "ü" * 60, "run": "app.A"}}, ensure_ascii=False)

    with pytest.raises(InvalidConfiguration):
        validate_configuration(text.encode())


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(InvalidConfiguration):
        validate_configuration(b'{"t": {"after": ["\xff"], "run": "app.A"}}')


def test_absurdly_deep_nesting_is_refused() -> None:
    with pytest.raises(InvalidConfiguration):
        validate_configuration(b'{"t": {"after": [], "run": "r", "k": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}")


@pytest.mark.parametrize(
    "text",
    [
        b'{"t": {"after": [], "run": "r"}, "t": {"after": ["a"], "run": "r"}}',
        b'{"t": {"after": ["a"], "run": "r", "after": []}}',
    ],
)
def test_a_duplicate_key_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidConfiguration):
        validate_configuration(text)
