"""Rules of edition 2 as they are written, and messages that help."""

from __future__ import annotations

import pytest

from triggers.core.conditions.tree import Combinator, Kind, Leaf
from triggers.core.edition_2_directives import parse_task
from triggers.core.edition_2_plan import parse_edition_2_plan
from triggers.core.edition_2_rule import CancelOn, Deadline, Delay, Edition2Rule, Retry
from triggers.core.session_limits import Timeouts
from triggers.errors import InvalidConfiguration


def task(**directives: object) -> Edition2Rule:
    return parse_task("t", {"after": ["a"], "run": "app.T"} | directives)


def leaf(**own: object) -> Leaf:
    return next(iter(task(after=[{"trigger": "a"} | own]).conditions.root.leaves()))


def aliases(rule: Edition2Rule) -> list[str]:
    return [found.alias for found in rule.conditions.root.leaves()]


def test_a_list_is_all_and_a_leaf_alone_is_a_condition() -> None:
    for after in (["a", "b"], {"all": ["a", "b"]}):
        (child,) = task(after=after).conditions.root.children
        assert isinstance(child, Combinator)
        assert (child.kind, [found.trigger for found in child.leaves()]) == (Kind.ALL, ["a", "b"])
    assert aliases(task(after="a")) == aliases(task(after={"trigger": "a"})) == ["a"]


def test_a_bare_name_twice_in_the_list_or_equal_to_a_bare_and_every_is_one_leaf() -> None:
    assert aliases(task(after=["a", "b", "a"], andEvery="b")) == ["a", "b"]
    assert aliases(task(after="b", andEvery="b")) == ["b"]


def test_and_every_stands_beside_after_and_after_may_be_left_out() -> None:
    conditions = parse_task("t", {"andEvery": "e", "run": "app.T"}).conditions

    assert conditions.and_every is conditions.root.children[0]
    assert task(after=[], andEvery="e").conditions.root.children == (task(after=[], andEvery="e").conditions.and_every,)


@pytest.mark.parametrize(
    ("directives", "latest"),
    [
        ({}, {"a": False, "e": False}),
        ({"within": "5s"}, {"a": True, "e": False}),
        ({"delay": {"for": "5s", "restart": True}}, {"a": True, "e": True}),
        ({"delay": {"for": "5s", "restart": False}}, {"a": False, "e": False}),
        ({"after": [{"any": ["a"], "within": "5s"}]}, {"a": True, "e": False}),
        ({"after": [{"any": [{"trigger": "a", "keep": "first"}], "within": "5s"}]}, {"a": False, "e": False}),
    ],
)
def test_keep_is_latest_below_a_within_and_where_a_delay_restarts(
    directives: dict[str, object], latest: dict[str, bool]
) -> None:
    rule = task(**{"andEvery": "e"} | directives)

    assert {found.alias: found.latest for found in rule.conditions.root.leaves()} == latest


def test_only_what_says_latest_itself_or_by_restart_goes_on_below_a_true_within() -> None:
    said = {"any": ["a", {"trigger": "b", "keep": "latest"}], "within": "5s"}

    assert [found.goes_on for found in task(after=said).conditions.root.leaves()] == [False, True]
    restarted = task(after=said, delay={"for": "5s", "restart": True})
    assert [found.goes_on for found in restarted.conditions.root.leaves()] == [True, True]


def test_a_count_is_a_number_all_or_an_expression() -> None:
    assert leaf().count == 1
    assert leaf(count=3.0).count == 3
    assert leaf(count="all").count is None
    assert leaf(count="on.a.parts").passes_list
    assert (leaf().remembered, leaf(count=3).remembered, leaf(count="all").remembered) == (1, 3, 1_000)


def test_what_is_written_the_same_has_the_same_mark_whatever_the_order_of_its_keys() -> None:
    def marks(*after: object) -> list[bytes]:
        return [child.mark for child in task(after=list(after)).conditions.root.children[0].children]  # type: ignore[union-attr]

    one = {"all": ["b", "c"], "within": "5s"}
    assert marks(one) == marks({"within": "5s", "all": ["b", "c"]}) != marks({"all": ["b", "c"], "within": "6s"})


def test_times_and_retries_are_read_once() -> None:
    rule = task(
        delay={"for": "5s", "restart": True, "atMost": "PT1M"},
        deadline={"in": "1h", "then": "run"},
        timeouts={"running": "2m", "attempts": 5},
        retry={"attempts": 3, "maxWait": "5m", "on": ["ValueError"]},
        cancelOn={"on": ["x", {"trigger": "y", "when": "kwargs.id == on.a.id"}], "terminate": True},
        queue="slow-1",
        optional=True,
        meta={"owner": "billing"},
    )

    assert rule.delay == Delay(wait=5_000, restart=True, at_most=60_000)
    assert rule.deadline == Deadline(wait=3_600_000, runs=True)
    assert rule.timeouts == Timeouts(running=120_000, attempts=5)
    assert rule.retry == Retry(attempts=3, wait=10_000, backoff=2, max_wait=300_000, jitter=0.1, on=("ValueError",))
    assert isinstance(rule.cancel_on, CancelOn)
    assert [found.trigger for found in rule.cancel_on.leaves] == ["x", "y"]
    assert (rule.queue, rule.optional, rule.simple) == ("slow-1", True, False)


def test_a_null_means_that_the_directive_is_not_there() -> None:
    assert task(andEvery=None, unless=None, delay=None, retry=None) == task()


def test_rules_with_keys_of_edition_1_only_are_simple_and_no_limit_binds_them() -> None:
    many = [f"a{number}" for number in range(100)]

    assert task(after=many, unless=["x"], andEvery="e", withParams={}, timeouts={"running": 5}).simple
    assert len(list(task(after=many).conditions.root.leaves())) == 100
    assert not task(after={"any": ["a"]}).simple


@pytest.mark.parametrize(
    ("directives", "message"),
    [
        ({"dely": 1}, r"'dely' is not a key of a task; did you mean 'delay'\?; .* goes under 'meta'"),
        ({"after": [{"trigger": "a", "wehn": "true"}]}, r"'after'\[0\]: 'wehn' .*did you mean 'when'\?"),
        ({"after": {"any": ["a"], "witin": 5}}, r"'witin' is not a key of a condition; did you mean 'within'\?"),
        ({"retry": {"attempts": 2, "backof": 2}}, r"'retry': 'backof' .*did you mean 'backoff'\?"),
        ({"after": {"any": []}}, "'any' must be a list of one condition or more, but it is \\[\\]"),
        ({"after": [[]]}, "must be a list of one condition or more"),
        ({"after": {"any": ["a"], "all": ["b"]}}, "it has all and any; write one of"),
        ({"after": {"within": "5s"}}, "it has no combinator"),
        ({"after": {"of": ["a"], "any": ["b"]}}, "'of' belongs to 'atLeast'"),
        ({"after": {"atLeast": 3, "of": ["a", "b"]}}, "'atLeast': it must be a number from 1 to 2, but it is 3"),
        ({"after": 5}, "'after': 5 is not a condition; write a trigger name"),
        ({"after": [{"trigger": 5}]}, "'trigger': it must be a text, but it is 5"),
        ({"after": [{"as": "x"}]}, "'as' is not a key of a condition"),
        ({"andEvery": ["e"]}, "'andEvery': it must be a trigger name"),
        ({"after": ["a", {"trigger": "a"}]}, "two leaves .* are named 'a'; name one of them by 'as'"),
        ({"after": ["a", ["a", "b"]]}, "two leaves .* are named 'a'"),
        ({"unless": [{"trigger": "x", "as": "y"}]}, "'as' is not a key of a leaf"),
        ({"after": [{"trigger": "a", "keep": "last"}]}, "'keep' must be 'first' or 'latest', but it is 'last'"),
        ({"after": [{"trigger": "a", "keep": ["first"]}]}, "'keep' must be 'first' or 'latest', but it is"),
        ({"after": [{"trigger": "a", "count": 1_001}]}, "'count': it must be a number from 1 to 1,000"),
        ({"after": [{"trigger": "a", "count": True}]}, "'count': it must be a number"),
        ({"after": [{"trigger": "a", "distinct": "on.b"}]}, "uses the unknown name 'on'"),
        ({"after": ["b", {"trigger": "a", "when": "on.a.n > 1"}]}, "the 'when' of 'a' needs 'a' itself"),
        ({"unless": {"any": ["x", {"trigger": "y", "count": "1 - 1"}]}}, "'unless' is always true"),
        ({"after": [{"trigger": "a", "count": "0"}]}, "'after' is always true"),
        (
            {"delay": {"for": "5s", "restart": True, "atMost": "4s"}},
            "'atMost' \\('4s'\\) is shorter than 'for' \\('5s'\\)",
        ),
        ({"delay": {"for": "5s", "atMost": "9s"}}, "'atMost' bounds a delay that restarts"),
        ({"deadline": {"in": "5s", "then": "fail"}}, "'then' must be 'expire' or 'run', but it is 'fail'"),
        ({"with": {"x": "1"}, "withParams": {}}, "'with' and 'withParams' exclude each other"),
        ({"with": {"x": "kwargs.n"}}, "'with': 'x': 'kwargs.n' uses the unknown name 'kwargs'"),
        ({"queue": "slow.one"}, "'queue': 'slow.one' must be 1 to 64 letters"),
        ({"queue": "slow\n"}, "must be 1 to 64 letters"),
        ({"cancelOn": [{"any": ["x"]}]}, "'any' is not a key of a leaf; the keys are trigger, when"),
        ({"after": [{"trigger": f"a{n}", "count": 2} for n in range(65)]}, "it has 65 leaves; at most 64"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_with_the_key_the_value_and_the_fix(
    directives: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidConfiguration, match=f"^task 't'.*{message}"):
        task(**directives)


def test_eight_levels_are_allowed_and_a_ninth_is_refused() -> None:
    def nested(levels: int) -> object:
        return "a" if levels == 1 else {"all": [nested(levels - 1)]}

    assert task(after=nested(8))
    with pytest.raises(InvalidConfiguration, match="deeper than 8 levels"):
        task(after=nested(9))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"$sesion": {}}, r"'\$sesion': names that begin with '\$' are reserved; did you mean '\$session'\?"),
        ({"$session": {"finalise": "x"}}, r"did you mean 'finalize'\?"),
        ({"$session": {"finalize": "all:skipped"}}, "only the engine fires names that end like outcomes"),
        ({"t_x:failed": {"after": ["a"], "run": "app.T"}}, "only the engine fires names that end like outcomes"),
        ({"$forward": [{"on": "a"}]}, "'to' is missing"),
        ({"$forward": [{"on": "a", "to": "'b'", "as": "x:expired"}]}, "only the engine fires"),
        ({"$forward": [{"on": {"trigger": "a", "when": "on.a.n == 1"}, "to": "'b'"}]}, "uses the unknown name 'on'"),
        ({"$forward": {"on": "a", "to": "'b'"}}, "it must be a list of"),
        ({"$limits": {"maxDepth": 3}}, r"did you mean 'maxCascadeDepth'\?"),
        ({"$manager": 5}, "it must be a text, but it is 5"),
    ],
)
def test_a_block_that_is_wrong_is_refused_with_the_nearest_name(blocks: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        parse_edition_2_plan(blocks)


def test_a_rule_set_finds_its_tasks_by_trigger_in_declaration_order() -> None:
    rules = parse_edition_2_plan(
        {
            "$edition": 2,
            "$limits": {"maxCascadeDepth": 5, "sessionTtl": "30d", "timeouts": {"running": "5m"}},
            "$session": {"finalize": "done"},
            "$forward": [{"on": "f", "to": "'b'"}],
            "t_b": {"after": ["x", {"any": ["y", "z"]}], "run": "app.B", "cancelOn": ["stop"]},
            "t_a": {"after": ["y"], "run": "app.A", "unless": ["stop"], "timeouts": {"running": "1m"}},
        }
    )

    assert {trigger: [found.name for found in users] for trigger, users in rules.by_trigger.items()} == {
        "x": ["t_b"],
        "y": ["t_b", "t_a"],
        "z": ["t_b"],
        "stop": ["t_b", "t_a"],
    }
    assert rules.named == {"x", "y", "z", "stop", "f"}
    assert (rules.finalize, rules.limits.max_cascade_depth, rules.limits.session_ttl) == ("done", 5, 30 * 86_400_000)
    assert [rules.timeouts_of(found).running for found in rules.tasks.values()] == [300_000, 60_000]
