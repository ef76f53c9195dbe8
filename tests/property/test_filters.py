"""What `check` says of a filter is true of every event, by the library that evaluates it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from triggers.analysis.check.cel_syntax import Unknown, syntax_of
from triggers.analysis.check.filters import Filter
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.grammar import EVENT_NAMES
from triggers.core.contribution import Contribution
from triggers.core.expressions.program import parse_expression

CONSTANTS = st.sampled_from(["0", "1", "2", "1.5", "-1", "'x'", "'y'", "''", "true", "false", "null"])
PATHS = st.sampled_from(
    ["kwargs.a", "kwargs.b", "kwargs.c.d", "event.trigger", "event.time", "event.kind", "session.uid"]
)
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
COMPARISONS = st.one_of(
    st.tuples(PATHS, SIGNS, CONSTANTS).map(" ".join),
    st.tuples(CONSTANTS, SIGNS, PATHS).map(" ".join),
    st.tuples(PATHS, SIGNS, PATHS).map(" ".join),
    st.tuples(CONSTANTS, SIGNS, CONSTANTS).map(" ".join),
    st.builds("{} in [{}, {}]".format, PATHS, CONSTANTS, CONSTANTS),
    st.builds("has({})".format, st.sampled_from(["kwargs.a", "kwargs.c.d"])),
    st.builds("{}.startsWith('x')".format, PATHS),
    st.builds("size({}) > {}".format, PATHS, CONSTANTS),
    PATHS,
    CONSTANTS,
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({}) ? ({}) : ({})".format, inner, inner, inner),
    ),
    max_leaves=5,
)
VALUES = st.sampled_from([0, 1, 2, 1.5, -1, 3, "x", "y", "xy", "", True, False, None, [1]])
KWARGS = st.fixed_dictionaries(
    {}, optional={"a": VALUES, "b": VALUES, "c": st.fixed_dictionaries({}, optional={"d": VALUES})}
)


def holds(text: str, kwargs: dict[str, Any]) -> bool:
    occurrence = Occurrence("x", Contribution(json.dumps(kwargs).encode(), 5, 1, b"", 5))
    return Evaluator({"uid": "x", "rules": None}).is_true(parse_expression(text, "a filter", EVENT_NAMES), occurrence)


@settings(max_examples=400, deadline=None)
@example("!(session.uid > 3)", [{}])
@example("kwargs.a != 'x' && kwargs.a > 3", [{"a": 4}])
@example("kwargs.a > 0 && kwargs.a < 1 && kwargs.a != 0.5", [{"a": 0.25}])
@example("kwargs.a > 'a' && kwargs.a < 'aa' && kwargs.a != 'a\\x00'", [{"a": "a\0\0"}])
@given(FILTERS, st.lists(KWARGS, min_size=1, max_size=6))
def test_a_filter_that_is_called_never_or_always_true_is_so(text: str, events: list[dict[str, Any]]) -> None:
    tree = syntax_of(text)
    filtered = Filter(tree, "x")

    assert not isinstance(tree, Unknown), text
    if why := filtered.why_never():
        assert not any(holds(text, kwargs) for kwargs in events), why
    if filtered.is_always():
        assert all(holds(text, kwargs) for kwargs in events)


NUMBERS = st.sampled_from(["0", "1", "2", "1.5", "-1"])
TEXTS = st.sampled_from(["'x'", "'y'", "''"])
OF_ONE_KIND = st.one_of(
    st.tuples(st.just("kwargs.a"), SIGNS, NUMBERS).map(" ".join),
    st.tuples(NUMBERS, SIGNS, st.just("kwargs.a")).map(" ".join),
    st.tuples(st.just("kwargs.b"), SIGNS, TEXTS).map(" ".join),
    st.builds("kwargs.a in [{}, {}]".format, NUMBERS, NUMBERS),
    st.builds("!(kwargs.b {} {})".format, SIGNS, TEXTS),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(OF_ONE_KIND, min_size=1, max_size=5))
def test_comparisons_with_constants_have_an_example_or_are_called_never_true(parts: list[str]) -> None:
    text = " && ".join(f"({part})" for part in parts)

    accepted = any(holds(text, kwargs) for kwargs in examples(text))

    assert accepted != bool(Filter(syntax_of(text), "x").why_never())


def examples(text: str) -> Iterator[dict[str, Any]]:
    for found in Filter(syntax_of(text), "x").examples():
        yield {path.parts[1]: value for path, value in found.items()}
