"""Which published rules a session takes, what an adoption leaves of its configuration, and how versions follow."""

from __future__ import annotations

from typing import Any

import pytest

from triggers.core.events import RulesPublished
from triggers.core.published_rules import Catalog, PublishedRules, check_publication, merge_adopted, next_version
from triggers.errors import CallError, InvalidConfiguration


def rules(name: str, *match: str, version: int = 1, default: bool = False, adopt: bool = False) -> PublishedRules:
    return PublishedRules(name=name, version=version, match=match, is_default=default, adopt=adopt)


PUBLISHED = Catalog(
    [
        rules("everything", "*"),
        rules("orders", "order-*"),
        rules("big-orders", "order-big-*"),
        rules("also-orders", "order-*"),
        rules("the-one", "order-7"),
        rules("rest", default=True),
    ]
)


@pytest.mark.parametrize(
    ("uid", "name"),
    [("order-7", "the-one"), ("order-big-1", "big-orders"), ("order-1", "also-orders"), ("x", "everything")],
)
def test_the_uid_itself_comes_before_the_longest_pattern_and_equal_ones_by_name(uid: str, name: str) -> None:
    taken = PUBLISHED.rules_for(uid)

    assert taken is not None
    assert taken.name == name


def test_default_rules_are_for_sessions_that_nothing_matches() -> None:
    defaults = Catalog([rules("b", default=True), rules("a", default=True), rules("c", "y*")])

    assert defaults.rules_for("x") == rules("a", default=True)
    assert Catalog([rules("c", "y*")]).rules_for("x") is None


def test_only_the_newest_version_of_a_name_matches_new_sessions() -> None:
    catalog = Catalog([rules("a", "x*"), rules("a", "z*", version=2), rules("b", "x", "z")])

    assert catalog.rules_for("x1") is None
    assert catalog.rules_for("z1") == rules("a", "z*", version=2)
    assert catalog.newest("a") == rules("a", "z*", version=2)
    assert catalog.newest("c") is None


def test_the_newest_version_that_says_adopt_is_taken_if_it_is_later() -> None:
    versions = [rules("a", version=1, adopt=True), rules("a", version=2, adopt=True), rules("a", version=3)]
    catalog = Catalog(versions)

    assert catalog.to_adopt("a", 1) == versions[1]
    assert catalog.to_adopt("a", 2) is None
    assert catalog.to_adopt("b", 1) is None


def test_what_a_version_lacks_goes_if_it_may_go_and_blocks_go_in_any_case() -> None:
    held: dict[str, object] = {"$edition": 2, "$limits": {}, "t_gone": 1, "t_busy": 2, "t_own": 3, "t_kept": 4}

    left = merge_adopted(held, {"t_kept": 5, "t_new": 6}, removable=["t_gone", "t_kept"])

    assert left == {"$edition": 2, "t_busy": 2, "t_own": 3, "t_kept": 5, "t_new": 6}
    assert list(left) == ["$edition", "t_busy", "t_own", "t_kept", "t_new"]


def publication(configuration: bytes = b"{}", **fields: Any) -> RulesPublished:  # fields of the event
    known: dict[str, Any] = {"name": "order", "version": 1, "configuration": configuration}
    return RulesPublished(**(known | fields))


def test_a_version_follows_the_newest_unless_it_says_the_same() -> None:
    first = next_version(None, publication(b'{"t": {"after": []}}'))
    assert first is not None

    assert first.version == 1
    assert next_version(first, publication(b'{ "t": {"after":[]} }')) is None
    second = next_version(first, publication(b'{"t": {"after": []}}', locked=True))
    assert second is not None
    assert second.version == 2


def test_a_version_keeps_the_edition_of_the_one_before() -> None:
    first = next_version(None, publication(b'{"$edition": 2}'))

    second = next_version(first, publication(b'{"t": 1}'))

    assert second is not None
    assert second.configuration == b'{"t":1,"$edition":2}'
    with pytest.raises(InvalidConfiguration, match="cannot go back to edition 1; remove the block, or write 2"):
        next_version(first, publication(b'{"$edition": 1}'))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "a name has 1 to 256 printable characters"),
        ({"name": "a\0b"}, "a name has 1 to 256 printable characters"),
        ({"version": 0}, "rules 'order': the version must be 1 to 2147483647, not 0"),
        ({"existing": "replace"}, "'existing' must be 'keep' or 'adopt', not 'replace'"),
        ({"match": ["order-*-x"]}, "'order-\\*-x' in 'match' is neither a UID nor a pattern"),
        ({"match": [""]}, "'' in 'match' matches no session; use is_default for all others"),
    ],
)
def test_a_wrong_field_of_a_publication_is_named_with_the_fix(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CallError, match=message):
        check_publication(publication(**fields))
