"""The differences between two states, with their paths."""

from __future__ import annotations

from typing import Any

import pytest

from triggers.analysis.view_changes import ChangedValue, changes_between


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {}, [("a", 1, None)]),
        ({"a": [1, 2]}, {"a": [2, 1]}, [("a", [1, 2], [2, 1])]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a c", 2, 3)]),
        ({"i": []}, {"i": [{"name": "x", "n": 1}]}, [("i x", None, {"n": 1})]),
        ({"i": [{"name": "x", "n": 1}]}, {"i": [{"name": "x", "n": 2}]}, [("i x n", 1, 2)]),
        ({"i": [{"name": "x"}, {"name": "y"}]}, {"i": [{"name": "y"}]}, [("i x", {}, None)]),
    ],
)
def test_each_difference_has_its_path(before: Any, after: Any, changes: list[tuple[str, Any, Any]]) -> None:  # noqa: ANN401
    assert changes_between(before, after) == [ChangedValue(path=p, before=b, after=a) for p, b, a in changes]
