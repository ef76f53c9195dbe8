"""What `check` reports as refused is what the engine refuses, and what it calls dead never runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.timed_rules import TRIGGERS, played, runs_of, timed_rules
from tests.property.timed_rules import encoded as rules_text
from tests.unit.analysis.test_check_rules_of_edition_2 import FINDINGS, Json, encoded, found

from triggers.analysis.check.rules import check_rules
from triggers.analysis.check.steps import Step
from triggers.core.config import validate_configuration
from triggers.core.edition_2_directives import DIRECTIVES
from triggers.errors import InvalidConfiguration

REFUSED = {"invalid-json", "duplicate-key", "invalid-directive"}


@pytest.mark.parametrize("rules", [rules for _, rules, _ in FINDINGS])
def test_the_engine_refuses_exactly_what_is_reported_as_refused(rules: Json) -> None:
    assert any(one.rule in REFUSED for one in found(rules)) == is_refused(rules)


KEYS = st.sampled_from([*DIRECTIVES, "dely", "name"])
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-1, 3),
        st.sampled_from(["x", "y", "5s", "all", "kwargs.n > 1", "on.x.n", ""]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["trigger", "when", "count", "any", "all", "for", "in", "on", "within"]), inner, max_size=2
        ),
    ),
    max_leaves=4,
)
TASKS_AND_BLOCKS = st.sampled_from(["t_a", "t_b", "$session", "$forward", "$limits", "$sesion", "t_a:failed"])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(TASKS_AND_BLOCKS, st.dictionaries(KEYS, VALUES, max_size=3) | VALUES, max_size=3))
def test_random_rules_are_reported_as_refused_exactly_if_the_engine_refuses_them(rules: Json) -> None:
    begun = {name: {"after": ["x"], "run": "r"} | own if isinstance(own, dict) else own for name, own in rules.items()}

    assert any(one.rule in REFUSED for one in found(begun)) == is_refused(begun)


@settings(max_examples=150, deadline=None)
@given(
    timed_rules(),
    st.lists(st.tuples(st.sampled_from(TRIGGERS), st.sampled_from([0, 1_001, 5_001, 30_000])), max_size=8),
)
def test_a_task_that_never_runs_by_the_check_never_runs_for_any_events(
    rules: Json, events: list[tuple[str, int]]
) -> None:
    dead = {one.task for one in check_rules(rules_text(rules)).findings if one.rule in NEVER_RUN}

    session = played(rules, [Step(wait=wait, fire=trigger) for trigger, wait in events])

    assert [task for task in sorted(filter(None, dead)) if runs_of(session, task)] == []


NEVER_RUN = {
    "empty-after",
    "deadlock",
    "never-runs",
    "unless-always-wins",
    "unproduced-trigger",
    "deadline-always-wins",
}


def is_refused(rules: Json) -> bool:
    try:
        validate_configuration(encoded(rules))
    except InvalidConfiguration:
        return True
    return False
