"""Which published rules a session takes, and what a later version leaves of its configuration."""

from __future__ import annotations

import pytest

from triggers.core.published import PublishedRules, adopted, rules_for, to_adopt


def rules(name: str, *match: str, version: int = 1, default: bool = False, adopt: bool = False) -> PublishedRules:
    return PublishedRules(
        name=name, version=version, configuration={}, edition=2, match=match, is_default=default, adopt=adopt
    )


PUBLISHED = [
    rules("everything", "*"),
    rules("orders", "order-*"),
    rules("big-orders", "order-big-*"),
    rules("also-orders", "order-*"),
    rules("the-one", "order-7"),
    rules("rest", default=True),
]


@pytest.mark.parametrize(
    ("uid", "name"),
    [("order-7", "the-one"), ("order-big-1", "big-orders"), ("order-1", "also-orders"), ("x", "everything")],
)
def test_the_uid_itself_comes_before_the_longest_pattern_and_equal_ones_by_name(uid: str, name: str) -> None:
    found = rules_for(uid, PUBLISHED)

    assert found is not None
    assert found.name == name


def test_default_rules_are_for_sessions_that_nothing_matches() -> None:
    assert rules_for("x", [rules("b", default=True), rules("a", default=True), rules("c", "y*")]) == rules(
        "a", default=True
    )
    assert rules_for("x", [rules("c", "y*")]) is None


def test_the_newest_version_that_says_adopt_is_taken_if_it_is_later() -> None:
    versions = [rules("a", version=1, adopt=True), rules("a", version=2, adopt=True), rules("a", version=3)]

    assert to_adopt(versions, 1) == versions[1]
    assert to_adopt(versions, 2) is None


def test_what_a_version_lacks_goes_unless_it_is_unresolved_or_the_sessions_own() -> None:
    held = {"$edition": 2, "$limits": {}, "t_gone": 1, "t_busy": 2, "t_own": 3, "t_kept": 4}
    version = PublishedRules(name="a", version=2, configuration={"t_kept": 5, "t_new": 6}, edition=2)

    left = adopted(held, version, from_rules=["t_gone", "t_busy", "t_kept"], unresolved=["t_busy"])

    assert left == {"$edition": 2, "t_busy": 2, "t_own": 3, "t_kept": 5, "t_new": 6}
    assert list(left) == ["$edition", "t_busy", "t_own", "t_kept", "t_new"]
