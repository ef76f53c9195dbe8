"""Expressions: what they may name, what they give, and what they cost to look at."""

from __future__ import annotations

import pytest

from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.expressions.program import Expression, parse_expression
from triggers.core.expressions.values import decode_members, decode_value, encode_value, equality_key
from triggers.errors import InvalidConfiguration

NAMES = ("kwargs", "event", "session", "on")


def expression(text: str) -> Expression:
    return parse_expression(text, "'when'", NAMES)


def evaluated(text: str, kwargs: bytes = b"{}") -> object:
    return expression(text).evaluate({"kwargs": decode_value(kwargs)})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3 - 4 / 2 % 3", 5),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2 || false", True),
        ("!false", True),
        ("true ? 'a' : 'b'", "a"),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("2 in [1, 2.0]", True),
        ("'a' in {'a': 1}", True),
        ("[1, 2, 3].exists(x, x > 2)", True),
        ("[1, 2, 3].exists_one(x, x > 1)", False),
        ("[1, 2, 3].all(x, x > 0)", True),
        ("[1, 2, 3].filter(x, x > 1)", [2, 3]),
        ("[1, 2].map(x, x * 2)", [2, 4]),
        ("size('Üé😀')", 3),
        ("'Üé'.size() + size([1]) + size({'a': 1})", 4),
        ("'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.matches('^a.c$')", True),
        ("int('5') + int(2.9)", 7),
        ("double('0.5') + double(1)", 1.5),
        ("string(true) + string(1) + string(1.5) + string('x')", "true11.5x"),
        ("bool('true') && bool(true)", True),
        ("1 == 1.0 && 1 != true && '1' != 1 && [1] == [1.0] && {'a': null} == {'a': null}", True),
        ("has(kwargs.a) && !has(kwargs.b) && kwargs.a == null", True),
        ("1 / 0 == 1 || true", True),
        ("false && 1 / 0 == 1", False),
    ],
)
def test_what_is_promised_of_the_language_holds(text: str, result: object) -> None:
    assert evaluated(text, b'{"a": null}') == result


@pytest.mark.parametrize(
    "text",
    [
        *(
            "kwargs.missing",
            "kwargs.a.deep",
            "kwargs['a b']",
            "[1][3]",
            "1 / 0",
            "1 % 0",
            "1 + 1.0",
            "'a' + 1",
            "!null",
        ),
        *("int('x')", "9223372036854775807 + 1", "size(1)", "string(null)", "bool('yes')", "'a'.matches('(')"),
    ],
)
def test_an_expression_without_a_result_fails_with_the_reason(text: str) -> None:
    with pytest.raises(ExpressionFailed, match=r".+"):
        evaluated(text, b'{"a": null}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kwargs.n >", "is not CEL"),
        ("", "is not CEL"),
        ("kwrgs.n > 1", r"uses the unknown name 'kwrgs'; did you mean 'kwargs'\?"),
        ("now() > 1", r"calls the unknown function now\(\)"),
        ("kwargs.a.startWith('x')", r"calls the unknown method .startWith\(\); did you mean 'startsWith'\?"),
        ("com.example.T{}", "uses the unknown name 'com'"),
        ("[1].exists(x, x > y)", "uses the unknown name 'y'"),
        ("[1].exists(x, true) && x > 1", "uses the unknown name 'x'"),
        ("1" + " " * 4_096, "it has 4097 characters; at most 4096"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused_with_the_rules(text: str, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        expression(text)


@pytest.mark.parametrize(
    ("text", "aliases"),
    [
        ("kwargs.id == on.order.id", {"order"}),
        ("on['a b'].id == on[\"c\"].id", {"a b", "c"}),
        ('on[r"a\\b"] == 1', {"a\\b"}),
        ("'x' in on ? on.y.n : 0", {"x", "y"}),
        ("has(on.a) && .on.b == 1", {"a", "b"}),
        ("kwargs.l.exists(on, on.n > 1)", set()),
        ("'on.z' == kwargs.a // on.w", set()),
        ("size(on)", None),
        ("on[kwargs.k]", None),
        ("'a' + 'b' in on", None),
        ("on.size() > 1", None),
    ],
)
def test_it_is_known_which_aliases_an_expression_names(text: str, aliases: set[str] | None) -> None:
    assert expression(text).aliases == (None if aliases is None else frozenset(aliases))


def test_only_the_members_that_an_expression_names_are_decoded() -> None:
    named = expression("kwargs.n > 1 && kwargs['a b'] == 2").references.variables["kwargs"]

    assert named == frozenset({"n", "a b"})
    assert decode_members(b'{"n": 3, "a b": 2, "bad": 1e999}', frozenset({"n", "a b"})) == {"n": 3, "a b": 2}


def test_integers_of_64_bits_are_int_and_every_other_number_is_double() -> None:
    value = decode_value(
        b'[9223372036854775807, -9223372036854775808, 9223372036854775808, 1.0, {"a": 100000000000000000000}]'
    )

    assert value == [2**63 - 1, -(2**63), 2.0**63, 1.0, {"a": 1e20}]
    assert isinstance(value, list)
    assert [type(item) for item in value[:4]] == [int, int, float, float]


def test_values_that_are_equal_share_a_key_and_others_do_not() -> None:
    assert equality_key(decode_value(b'{"a": [1, 2.0], "b": null}')) == equality_key({"b": None, "a": [1.0, 2]})
    different = [
        1,
        "1",
        True,
        None,
        1.5,
        "true",
        [1],
        ["1"],
        {"a": 1},
        {"a": 2},
        {"b": 1},
        [],
        {},
        "",
        "a,b",
        ["a", "b"],
    ]
    assert len({equality_key(value) for value in different}) == len(different)


def test_nan_equals_nothing_so_it_has_no_key() -> None:
    with pytest.raises(ExpressionFailed, match="NaN"):
        equality_key(evaluated("0.0 / 0.0"))


@pytest.mark.parametrize("text", ["b'ab'", "0.0 / 0.0", "1.0 / 0.0", "{1: 2}", "[b'x']", "{'a': {true: 1}}"])
def test_a_result_that_json_lacks_is_refused(text: str) -> None:
    with pytest.raises(ExpressionFailed, match=r"JSON (has no key|cannot express)"):
        encode_value(evaluated(text))


def test_deeply_nested_kwargs_are_an_error_and_not_a_crash() -> None:
    with pytest.raises(ExpressionFailed):
        decode_value(b"[" * 100_000 + b"]" * 100_000)


def test_a_text_that_is_no_unicode_is_an_error() -> None:
    with pytest.raises(ExpressionFailed):
        evaluated("kwargs.a == 'x'", b'{"a": "\\ud800"}')
