"""The rules of a session are drawn with what has fired, what is missing, and the instances of each task."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.memory_session import MemorySession

from triggers.analysis.graph.picture import Node
from triggers.analysis.graph.session_rules import picture_of_session_rules
from triggers.core.events import TaskFailed, TaskFinished, TriggerFired

RULES = {
    "t_import": {"after": ["page", "complete"], "andEvery": "page", "run": "app.import"},
    "t_report": {"after": ["t_import", "address"], "unless": ["embedded"], "run": "app.report"},
}
EDITION_2 = {"$edition": 2, "t_kyc": {"after": [{"any": ["passport", "bill"]}, "address"], "run": "app.kyc"}}


def _nodes(session: MemorySession) -> dict[str, Node]:
    return {node.id: node for node in picture_of_session_rules("s", session.log).nodes}


def _words(nodes: dict[str, Node]) -> dict[str, str]:
    return {name: node.lines[-1] for name, node in nodes.items()}


def test_triggers_have_fired_or_are_missing_and_tasks_count_their_instances() -> None:
    session = MemorySession(RULES)
    for trigger in ("page", "page", "complete"):
        session.apply(TriggerFired(trigger=trigger))
    session.apply(TaskFinished(instance="t_import#0", attempt=1))
    session.apply(TaskFailed(instance="t_import#1", attempt=1, exception_type="x.Y"))

    nodes = _nodes(session)

    assert _words(nodes) == {
        "trigger page": "fired",
        "trigger complete": "fired",
        "trigger address": "missing",
        "trigger embedded": "missing",
        "task t_import": "1 finished, 1 failed",
        "task t_report": "1 unstarted",
    }
    assert nodes["task t_import"].status == "failed", "what needs attention gives the colour"


@pytest.mark.parametrize("rules", [RULES, EDITION_2])
def test_a_session_that_has_begun_misses_everything(rules: dict[str, Any]) -> None:
    words = _words(_nodes(MemorySession(rules)))

    assert {text for name, text in words.items() if name.startswith("trigger ")} == {"missing"}
    assert {text for name, text in words.items() if name.startswith("task ")} == {"no instance"}


def test_conditions_of_edition_2_stay_as_they_are_and_their_triggers_have_fired() -> None:
    session = MemorySession(EDITION_2)
    session.apply(TriggerFired(trigger="bill"))

    words = _words(_nodes(session))

    assert (words["trigger bill"], words["trigger passport"], words["trigger address"]) == (
        "fired",
        "missing",
        "missing",
    )
    assert words["task t_kyc"] == "1 unstarted"


def test_what_the_session_refused_changes_nothing() -> None:
    session = MemorySession(RULES)
    refused = TaskFinished(instance="t_none#0", attempt=1)

    picture = picture_of_session_rules("s", [*session.log, refused])

    assert picture == picture_of_session_rules("s", session.log)
