"""Configurations that nobody wrote: each is compiled or refused with a message, never a crash."""

from __future__ import annotations

import copy
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.edition2.histories import CURATED, histories

from triggers.core.durations import MAX_DURATION_MS, parse_duration
from triggers.core.edition_2_plan import parse_edition_2_plan
from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.expressions.program import parse_expression
from triggers.core.expressions.values import encode_value
from triggers.errors import InvalidConfiguration

Json = dict[str, object]
VALID: list[Json] = [
    step["configuration"]
    for history in histories(CURATED)
    for step in history["steps"]
    if "configuration" in step and len(str(step["configuration"])) < 2_000
]
SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    st.sampled_from(
        [
            "a",
            "all",
            "on",
            "kwargs.n > 1",
            "5s",
            "P1D",
            "trigger",
            "any",
            "sequence",
            "within",
            "$edition",
            "first",
            -1,
            0,
            1.5,
        ]
    ),
)
KEYS = st.sampled_from(
    [
        "trigger",
        "as",
        "when",
        "count",
        "distinct",
        "keep",
        "any",
        "all",
        "of",
        "atLeast",
        "within",
        "for",
        "in",
        "on",
        "to",
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
PIECES = st.sampled_from(
    [
        *"()[]{}.,?:!+-*/%<>='\"\\ \n_`$@eu",
        *(
            "kwargs",
            "on",
            "x",
            "1",
            "2.5",
            "'a'",
            "==",
            "&&",
            "||",
            "in",
            "has",
            "size",
            "null",
            "exists",
            "map",
            "true",
        ),
        *("r'", '"""', "//", "é", "0x", "1e", "b'"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_configuration_with_something_else_in_it_is_compiled_or_refused(data: st.DataObject) -> None:
    configuration = copy.deepcopy(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 3))):
        _replace_something(configuration, data)

    _compile(configuration)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["t", "$session", "$forward", "$limits", "$x", ""]), VALUES, max_size=3))
def test_any_json_is_compiled_or_refused(configuration: Json) -> None:
    _compile(configuration)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14))
def test_any_text_is_an_expression_or_refused_and_evaluates_or_fails(pieces: list[str]) -> None:
    try:
        expression = parse_expression("".join(pieces), "'with'", ["kwargs", "on"])
    except InvalidConfiguration as error:
        _assert_helpful(error, "'with'")
        return
    with suppress(ExpressionFailed):
        encode_value(expression.evaluate({"kwargs": {"x": 1}, "on": {}}))


@given(VALUES | st.from_regex(r"P?T?([0-9.]{1,4}(ms|[smhdwSMHDW])){0,3}", fullmatch=True))
def test_anything_is_a_duration_within_the_limits_or_refused(value: object) -> None:
    try:
        milliseconds = parse_duration(value, "'delay'")
    except InvalidConfiguration as error:
        _assert_helpful(error, "'delay'")
        return
    assert 1 <= milliseconds <= MAX_DURATION_MS


def _compile(configuration: Json) -> None:
    try:
        rules = parse_edition_2_plan(configuration)
    except InvalidConfiguration as error:
        _assert_helpful(error, "")
        return
    for name in rules.tasks:
        assert name in configuration


def _assert_helpful(error: InvalidConfiguration, where: str) -> None:
    """It says where, and more than that."""
    assert str(error).startswith(where)
    assert len(str(error)) > len(where) + 10


def _replace_something(value: object, data: st.DataObject) -> None:
    """Replace a value somewhere below, or take it away."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        assert isinstance(value, dict | list)
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            value[key] = data.draw(VALUES)
            return
        value = inner
