"""Random conditions and events: the engine's conditions, stored after each event, against the naive model."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.naive_conditions import Happening, NaiveCombinator, NaiveLeaf, naive_offer

from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.grammar import WrittenConditions, parse_conditions
from triggers.core.conditions.held import Held
from triggers.core.conditions.offering import match_leaves, offer
from triggers.core.contribution import Contribution

Json = dict[str, object]
TRIGGERS = ("a", "b", "c")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Held).decode


def _leaves() -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {"trigger": st.sampled_from(TRIGGERS)},
        optional={
            "count": st.sampled_from([1, 2, 3, "all"]),
            "when": st.sampled_from(["kwargs.v >= 1", "kwargs.v >= 2"]),
            "distinct": st.just("kwargs.v"),
            "keep": st.sampled_from(["first", "latest"]),
        },
    )


def _combinators(children: st.SearchStrategy[object]) -> st.SearchStrategy[Json]:
    several = st.lists(children, min_size=1, max_size=3)
    within = st.sampled_from([None, 2, 5, 20])
    return st.one_of(
        st.builds(_combinator, st.sampled_from(["all", "any", "sequence", "sequence"]), several, within),
        st.builds(_at_least, several, st.integers(1, 3), within),
    )


def _combinator(kind: str, children: list[object], within: int | None) -> Json:
    return {kind: children} | ({} if within is None else {"within": within})


def _at_least(children: list[object], need: int, within: int | None) -> Json:
    return _combinator("of", children, within) | {"atLeast": min(need, len(children))}


CONDITIONS = _combinators(st.recursive(_leaves(), _combinators, max_leaves=6))
EVENTS = st.lists(
    st.tuples(st.sampled_from(TRIGGERS), st.integers(0, 3), st.sampled_from([0, 0, 1, 2, 5, 21])), max_size=14
)


def _with_aliases(condition: Json, numbers: list[int]) -> Json:
    """Name every leaf, for aliases are unique."""
    if "trigger" in condition:
        numbers.append(len(numbers))
        return condition | {"as": f"x{len(numbers)}"}
    return {
        key: [_with_aliases(child, numbers) for child in own] if isinstance(own, list) else own
        for key, own in condition.items()
    }


def _naive(condition: Json, *, windowed: bool = False) -> NaiveLeaf | NaiveCombinator:
    if "trigger" in condition:
        when, count = condition.get("when"), condition.get("count", 1)
        return NaiveLeaf(
            trigger=str(condition["trigger"]),
            alias=str(condition["as"]),
            count=count if isinstance(count, int) else None,
            least=int(str(when)[-1]) if when else None,
            distinct="distinct" in condition,
            latest=condition.get("keep", "latest" if windowed else "first") == "latest",
            goes_on=condition.get("keep") == "latest",
        )
    within, need = condition.get("within", 0), condition.get("atLeast", 0)
    assert isinstance(within, int)
    assert isinstance(need, int)
    kind = "atLeast" if need else next(key for key in condition if key != "within")
    children = condition["of" if need else kind]
    assert isinstance(children, list)
    inner = [_naive(child, windowed=windowed or within > 0) for child in children]
    return NaiveCombinator(kind, inner, need=need, within=within * 1_000)


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, EVENTS)
def test_every_leaf_holds_what_the_naive_model_says_after_every_event(
    condition: Json, events: list[tuple[str, int, int]]
) -> None:
    condition = _with_aliases(condition, [])
    naive = NaiveCombinator("all", [_naive(condition)])
    conditions = parse_conditions(WrittenConditions(after=condition), "t")
    held, clock = Held(), 0
    for number, (trigger, value, seconds) in enumerate(events):
        clock += seconds * 1_000
        naive_offer(naive, Happening(trigger, clock, value, number))
        text = msgspec.json.encode({"v": value})
        evaluator = Evaluator({})
        view = ConditionView(conditions, held, evaluator)
        occurrence = Occurrence(trigger, Contribution(text, clock, number))
        offer(view, match_leaves(conditions.leaves, occurrence, evaluator))
        assert {leaf.alias: [own.number for own in leaf.held] for leaf in naive.leaves()} == {
            leaf.alias: [own.order for own in view.contributions(leaf)] for leaf in conditions.leaves
        }
        assert view.is_true(conditions.root) == naive.is_true()
        held = _decode(_encode(held))
