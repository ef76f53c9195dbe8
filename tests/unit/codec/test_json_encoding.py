"""Kwargs that an application passes are encoded as JSON or refused."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pytest

from triggers.codec import encode_object
from triggers.codec.json_payloads import check_payload
from triggers.errors import CallError


class Kind(StrEnum):
    PAGE = "page"


class Level(IntEnum):
    HIGH = 3


class SafeText(str):
    __slots__ = ()


def test_none_is_encoded_as_an_empty_object() -> None:
    assert encode_object(None, "kwargs") == encode_object({}, "kwargs") == b"{}"


def test_json_values_are_encoded_in_their_order() -> None:
    kwargs = {"b": [1, 2.5, None, True, {"x": ""}], "a": "é\n\u2028😀", "": -(2**70), "n": -0.0}

    encoded = encode_object(kwargs, "kwargs")

    assert json.loads(encoded) == kwargs
    assert list(json.loads(encoded)) == ["b", "a", "", "n"]
    check_payload(encoded, "kwargs")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, (2,)), [1, [2]]),
        (Kind.PAGE, "page"),
        (Level.HIGH, 3),
        (SafeText("<b>"), "<b>"),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({Kind.PAGE: 1}), {"page": 1}),
    ],
)
def test_subclasses_of_json_types_become_plain_values(value: object, plain: object) -> None:
    assert json.loads(encode_object({"k": value}, "kwargs")) == {"k": plain}


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"page": {"seen": {1, 2}}}, r"kwargs\['page'\]\['seen'\]: set cannot be JSON; use a list"),
        ({"a": [0, math.nan]}, r"kwargs\['a'\]\[1\]: nan cannot be JSON"),
        ({"a": -math.inf}, r"kwargs\['a'\]: -inf cannot be JSON"),
        ({"a": {3: 1}}, r"kwargs\['a'\]\[3\]: int cannot be JSON; a key must be a str"),
        ({None: 1}, r"kwargs\[None\]: NoneType cannot be JSON"),
        ({"a": b"x"}, r"kwargs\['a'\]: bytes cannot be JSON; convert it first"),
        ({"a": datetime(2024, 3, 1, tzinfo=UTC)}, r"kwargs\['a'\]: datetime"),
        ({"a": Decimal(1)}, r"kwargs\['a'\]: Decimal"),
        ({"a": object()}, r"kwargs\['a'\]: object"),
        ({"a": "\ud800"}, r"kwargs\['a'\]: '\\ud800' is not Unicode text"),
        ({"\udc00": 1}, r"kwargs: '\\udc00' is not Unicode text"),
        ([("a", 1)], "kwargs: list cannot be JSON; it must be a mapping"),
        ("text", "kwargs: str"),
        ({"a": 10**5000}, "kwargs: "),
    ],
)
def test_a_value_that_json_lacks_is_refused_with_its_path(kwargs: object, message: str) -> None:
    with pytest.raises(CallError, match=message):
        encode_object(kwargs, "kwargs")  # type: ignore[arg-type]  # wrong on purpose


def test_the_deepest_nesting_is_what_a_worker_accepts() -> None:
    kwargs: dict[str, object] = {}
    for _ in range(127):
        kwargs = {"a": kwargs}
    check_payload(encode_object(kwargs, "kwargs"), "kwargs")

    endless: dict[str, object] = {}
    endless["a"] = endless
    for deeper in ({"a": kwargs}, endless):
        with pytest.raises(CallError, match="nested deeper than 128"):
            encode_object(deeper, "kwargs")


def test_what_an_async_task_returns_is_refused_with_the_reason() -> None:
    async def task() -> int:
        return 1

    returned = task()
    with pytest.raises(CallError, match=r"result\['result'\]: coroutine cannot be JSON; a task must be no `async def`"):
        encode_object({"result": returned}, "result")
    returned.close()
