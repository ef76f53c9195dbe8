"""The public names of the Triggers framework besides managers and storages."""

from __future__ import annotations

import logging

import filters as f
import pytest

from triggers import TriggerManager
from triggers.exceptions import with_context
from triggers.registry import ClassRegistry, UnknownKey, storage_backends, trigger_managers
from triggers.task import TaskContext
from triggers.types import TaskConfig, TaskInstance


def test_kwargs_are_filtered_and_values_without_a_filter_are_unchanged() -> None:
    context = TaskContext("t#0", "default", "memory", "s", {"page": {"size": "7", "more": 1}, "other": {"x": 2}})

    filtered = context.filter_kwargs({"page": {"size": f.Required | f.Int}, "absent": {"y": f.Optional("z")}})

    assert filtered["page"] == {"size": 7, "more": 1}
    assert filtered["other"] == {"x": 2}


def test_kwargs_that_a_filter_refuses_are_a_value_error_with_its_reasons() -> None:
    context = TaskContext("t#0", "default", "memory", "s", {"page": {"size": "many"}})

    with pytest.raises(ValueError, match="Invalid trigger kwargs") as raised:
        context.filter_kwargs({"page": {"size": f.Required | f.Int}})

    assert "page.size" in raised.value.context["filter_errors"]  # type: ignore[attr-defined]


def test_errors_for_unknown_keys_and_unregistered_classes_name_the_fix() -> None:
    class Unregistered(TriggerManager):
        pass

    with pytest.raises(UnknownKey, match=r"has no 'nothing'; it has .*cache"):
        storage_backends.get("nothing", "s")
    with pytest.raises(KeyError, match=r"entry points 'triggers\.managers'"):
        trigger_managers.key_of(Unregistered)
    assert len(ClassRegistry("triggers.nobody")) == 0


def test_a_custom_key_cannot_override_a_directive_and_extras_come_first() -> None:
    task = TaskConfig("t", ["b", "a"], "app.T", unless={"z", "y"}, andEvery="c", priority=3)

    assert list(task.serialize()) == ["priority", "after", "unless", "andEvery", "run", "using", "withParams"]
    assert (task.after_sorted, task.unless_sorted, task.extras) == (["a", "b", "c"], ["y", "z"], {"priority": 3})
    assert (task.uses_trigger("c"), task.uses_trigger("d"), str(task)) == (True, False, "t")


@pytest.mark.parametrize(
    ("status", "level", "marked", "resolved"),
    [
        ("finished", logging.WARNING, False, True),
        ("finished", logging.ERROR, False, False),
        ("finished", logging.ERROR, True, True),
        ("replayed", logging.ERROR, False, True),
    ],
)
def test_logs_are_resolved_when_harmless_marked_or_irrelevant(
    status: str, level: int, marked: bool, resolved: bool
) -> None:
    metadata = {"logLevel": level, "logsResolved": marked}

    assert TaskInstance("t#0", TaskConfig("t", [], "app.T"), status, metadata).logs_resolved is resolved


def test_an_exception_keeps_its_own_context_beside_a_new_one() -> None:
    error = with_context(ValueError("x"), {"a": 1})
    odd = ValueError("y")
    odd.context = "text"  # type: ignore[attr-defined]

    assert with_context(error, {"b": 2}).context == {"a": 1, "b": 2}  # type: ignore[attr-defined]
    assert with_context(odd, {"b": 2}).context == {"_original_context": "text", "b": 2}  # type: ignore[attr-defined]
