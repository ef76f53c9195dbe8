"""`schemas/rules.schema.json` accepts what the engine accepts, and refuses what one value can show to be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.docs.json_schemas import FOLDER, path_of
from tests.support.edition2.histories import CURATED, RANDOM, histories
from tests.support.histories import CURATED as CURATED_1
from tests.support.histories import DATA as DATA_1

from triggers.core.conditions.grammar import LEAF_KEYS, MAX_LEAVES
from triggers.core.config import DIRECTIVES as DIRECTIVES_1
from triggers.core.config import validate_configuration
from triggers.core.edition_2_directives import DIRECTIVES
from triggers.core.edition_2_plan import BLOCKS
from triggers.errors import InvalidConfiguration

Json = dict[str, Any]

EXAMPLES = sorted((FOLDER.parent / "examples").rglob("rules.json"))
TASK: Json = {"after": ["a"], "run": "app.T"}


@cache
def schema() -> Json:
    loaded: Json = json.loads(path_of("rules").read_bytes())
    return loaded


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def is_accepted(configuration: Json) -> bool:
    try:
        validate_configuration(json.dumps(configuration).encode())
    except InvalidConfiguration:
        return False
    return True


def configurations_of(history: Json) -> Iterator[Json]:
    """The configurations of a history as they are written, and as a session of edition 2 gets them."""
    written = [history.get("configuration"), *(step.get("configuration") for step in history["steps"])]
    for configuration in written:
        if configuration:
            yield configuration
            yield {"$edition": 2} | configuration


def test_it_is_a_schema_and_names_every_directive_and_block() -> None:
    Draft202012Validator.check_schema(schema())
    definitions = schema()["$defs"]

    assert set(definitions["task"]["properties"]) == set(DIRECTIVES)
    assert set(definitions["task1"]["properties"]) == {*DIRECTIVES_1, "name"}
    assert set(definitions["leaf"]["anyOf"][1]["properties"]) == set(LEAF_KEYS)
    assert set(definitions["configuration2"]["properties"]) == set(BLOCKS)


def test_every_key_that_an_editor_offers_is_described() -> None:
    definitions = schema()["$defs"]

    assert [name for name, own in _properties(definitions) if own is not False and not _is_described(own)] == []


@pytest.mark.parametrize(("file", "every", "least"), [(CURATED, 1, 500), (RANDOM, 20, 50)])
def test_it_accepts_every_configuration_of_the_histories_of_edition_2_that_the_engine_accepts(
    file: str, every: int, least: int
) -> None:
    accepted = [
        configuration
        for history in histories(file, every)
        for configuration in configurations_of(history)
        if is_accepted(configuration)
    ]

    assert len(accepted) >= least
    assert [each for each in accepted if not validator().is_valid(each)] == []


def test_it_accepts_every_configuration_of_the_histories_of_edition_1_that_the_engine_accepts() -> None:
    lines = (DATA_1 / CURATED_1).read_bytes().splitlines()
    accepted = [each for line in lines for each in configurations_of(json.loads(line)) if is_accepted(each)]

    assert len(accepted) >= 200
    assert [each for each in accepted if not validator().is_valid(each)] == []


@pytest.mark.parametrize("file", EXAMPLES, ids=[path.parent.name for path in EXAMPLES])
def test_the_rules_of_the_examples_are_valid(file: Path) -> None:
    assert [error.message for error in validator().iter_errors(json.loads(file.read_bytes()))] == []


@pytest.mark.parametrize(
    "duration",
    [1, 0.001, 315_360_000, "1ms", "500ms", "1h30m", "30m1h", "1m500ms", "3650d", "PT15M", "P2DT3H", "PT0,5S"],
)
def test_a_duration_of_each_form_is_valid(duration: object) -> None:
    rules = {"$edition": 2, "t_a": TASK | {"delay": duration}}

    assert is_accepted(rules)
    assert validator().is_valid(rules)


@pytest.mark.parametrize(
    "directives",
    [
        {"dely": "5s"},
        {"name": "t_a"},
        {"run": None},
        {"run": 5},
        {"after": 5},
        {"after": None},
        {"after": [[]]},
        {"after": {"any": []}},
        {"after": {"any": ["a"], "all": ["b"]}},
        {"after": {"any": ["a"], "witin": 5}},
        {"after": {"within": "5s"}},
        {"after": {"of": ["a"], "any": ["b"]}},
        {"after": {"atLeast": 0, "of": ["a", "b"]}},
        {"after": {"atLeast": 1}},
        {"after": [{"as": "x"}]},
        {"after": [{"trigger": 5}]},
        {"after": [{"trigger": "a", "as": None}]},
        {"after": [{"trigger": "a", "wehn": "true"}]},
        {"after": [{"trigger": "a", "when": True}]},
        {"after": [{"trigger": "a", "when": ""}]},
        {"after": [{"trigger": "a", "when": "1 == " + "1" * 4_096}]},
        {"after": [{"trigger": "a", "keep": "last"}]},
        {"after": [{"trigger": "a", "count": 0}]},
        {"after": [{"trigger": "a", "count": 1_001}]},
        {"after": [{"trigger": "a", "count": 1.5}]},
        {"after": [{"trigger": "a", "count": True}]},
        {"andEvery": ["e"]},
        {"andEvery": {"any": ["e"]}},
        {"unless": [{"trigger": "x", "as": "y"}]},
        {"unless": {"any": [{"trigger": "x", "as": "y"}]}},
        {"within": "5"},
        {"delay": 0},
        {"delay": "0s"},
        {"delay": "5x"},
        {"delay": "1h1h"},
        {"delay": "1m30s1m"},
        {"delay": "P1M"},
        {"delay": "P"},
        {"delay": 315_360_001},
        {"delay": {"restart": True}},
        {"delay": {"for": "5s", "atMost": "9s"}},
        {"delay": {"for": "5s", "restart": "yes"}},
        {"deadline": {"in": "5s", "then": "fail"}},
        {"deadline": {"then": "run"}},
        {"timeouts": {"running": 0}},
        {"timeouts": {"attempts": 0}},
        {"timeouts": {"runing": 5}},
        {"retry": {}},
        {"retry": 3},
        {"retry": {"attempts": 1_001}},
        {"retry": {"attempts": 2, "backof": 2}},
        {"retry": {"attempts": 2, "jitter": 1.1}},
        {"retry": {"attempts": 2, "on": "ValueError"}},
        {"cancelOn": "x"},
        {"cancelOn": [{"any": ["x"]}]},
        {"cancelOn": [{"trigger": "x", "count": 2}]},
        {"cancelOn": {"terminate": True}},
        {"with": {"x": 1}},
        {"with": {"x": "1"}, "withParams": {}},
        {"withParams": []},
        {"using": 5},
        {"queue": "slow.one"},
        {"queue": ""},
        {"optional": "yes"},
    ],
    ids=json.dumps,
)
def test_a_task_that_the_engine_refuses_is_refused(directives: Json) -> None:
    rules = {"$edition": 2, "t_a": TASK | directives}

    assert not is_accepted(rules)
    assert not validator().is_valid(rules)


@pytest.mark.parametrize(
    "configuration",
    [
        {"$edition": 3},
        {"$edition": "2"},
        {"$edition": 2, "$sesion": {}},
        {"$edition": 2, "$schema": "rules.schema.json"},
        {"$edition": 2, "$session": {"finalise": "x"}},
        {"$edition": 2, "$session": {"finalize": "all:skipped"}},
        {"$edition": 2, "t_x:failed": TASK},
        {"$edition": 2, "t_a": {"run": "app.T"}},
        {"$edition": 2, "t_a": {"after": ["a"]}},
        {"$edition": 2, "t_a": None},
        {"$edition": 2, "$forward": [{"on": "a"}]},
        {"$edition": 2, "$forward": {"on": "a", "to": "'b'"}},
        {"$edition": 2, "$forward": [{"on": "a", "to": "'b'", "as": "x:expired"}]},
        {"$edition": 2, "$forward": [{"on": {"trigger": "a", "count": 2}, "to": "'b'"}]},
        {"$edition": 2, "$limits": {"maxDepth": 3}},
        {"$edition": 2, "$limits": {"sessionTtl": "1y"}},
        {"$edition": 2, "$manager": 5},
        {"t_a": {"run": "app.T"}},
        {"t_a": {"after": "a", "run": "app.T"}},
        {"t_a": {"after": [{"trigger": "a"}], "run": "app.T"}},
        {"t_a": TASK | {"name": "t_b"}},
        {"t_a": TASK | {"timeouts": {"running": "5m"}}},
        {"$limits": {"sessionTtl": "5d"}},
        {"$forward": [{"on": "a", "to": "'b'"}]},
        {"$schema": "rules.schema.json"},
    ],
    ids=json.dumps,
)
def test_a_configuration_that_the_engine_refuses_is_refused(configuration: Json) -> None:
    assert not is_accepted(configuration)
    assert not validator().is_valid(configuration)


def test_an_own_key_is_valid_in_edition_1_and_goes_under_meta_in_edition_2() -> None:
    for rules in ({"t_a": TASK | {"owner": "x"}}, {"$edition": 2, "t_a": TASK | {"meta": {"owner": "x"}}}):
        assert is_accepted(rules)
        assert validator().is_valid(rules)


def test_what_no_single_value_shows_is_left_to_the_engine() -> None:
    for after in (["a", {"trigger": "a"}], [{"trigger": f"a{n}", "count": 2} for n in range(MAX_LEAVES + 1)]):
        rules = {"$edition": 2, "t_a": TASK | {"after": after}}

        assert not is_accepted(rules)
        assert validator().is_valid(rules)


def _properties(node: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """The properties of all objects below, with their places."""
    if isinstance(node, dict):
        yield from ((f"{path}/{name}", own) for name, own in node.get("properties", {}).items() if "type" in node)
        for name, own in node.items():
            yield from _properties(own, f"{path}/{name}")
    elif isinstance(node, list):
        for at, own in enumerate(node):
            yield from _properties(own, f"{path}/{at}")


def _is_described(own: Json) -> bool:
    referred = schema()["$defs"].get(own.get("$ref", "").rpartition("/")[2], {})
    inside = [_is_described(way) for way in own.get("anyOf", [])]
    return "description" in own or "description" in referred or any(inside)
