"""Finds rules that feed themselves: cycles of tasks that start each other again, and `$forward`s that come back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import NamedTuple

from triggers.analysis.check.liveness import Supply, find_cycles
from triggers.core.conditions.tree import Leaf
from triggers.core.edition_2_plan import OUTCOMES, Edition2Plan, Forward
from triggers.core.plan import Rule
from triggers.core.statuses import Status

_VERBS: Mapping[str, str] = {
    Status.FINISHED: "finishes",
    "failed": "fails",
    "expired": "expires",
    "abandoned": "is abandoned",
    "cancelled": "is cancelled",
    "skipped": "is skipped",
}


class BeginCycle(NamedTuple):
    """Tasks of which each begins again when the next one has come to an end."""

    names: list[str]
    ends: list[str]
    """For each task, the status of the next one that begins it again."""
    filters: list[str]
    """The `when` of their `andEvery`, for which the cycle may come to an end."""


def find_begin_cycles(tasks: Mapping[str, Rule], supply: Supply) -> list[BeginCycle]:
    """Returns the cycles that never die out. One that needs several events for an instance dies out."""
    sources: dict[str, tuple[str, str]] = {}
    for name, task in tasks.items():
        source = None if task.and_every is None else supply.producer(task.and_every)
        if source is not None and not _is_impossible(task, supply):
            sources[name] = source
    begun_by = {name: [source] for name, (source, _) in sources.items()}
    cycles = [cycle for cycle in find_cycles(begun_by) if _grows(cycle, tasks)]
    return [BeginCycle(cycle, [sources[name][1] for name in cycle], list(_filters(cycle, tasks))) for cycle in cycles]


def describe_cycle(cycle: BeginCycle) -> str:
    """Returns a sentence about the cycle, without its end."""
    following = (*cycle.names[1:], cycle.names[0])
    parts = zip(cycle.names, following, cycle.ends, strict=True)
    return ", ".join(f"{name} runs each time that {of} {_VERBS[status]}" for name, of, status in parts)


def _is_impossible(task: Rule, supply: Supply) -> bool:
    leaf = _every_leaf(task)
    return leaf is not None and supply.is_impossible(task)(leaf)


def _grows(cycle: list[str], tasks: Mapping[str, Rule]) -> bool:
    leaves = [_every_leaf(tasks[name]) for name in cycle]
    return prod(leaf.count for leaf in leaves if leaf is not None and isinstance(leaf.count, int)) <= 1


def _filters(cycle: list[str], tasks: Mapping[str, Rule]) -> Iterator[str]:
    for name in cycle:
        leaf = _every_leaf(tasks[name])
        if leaf is not None and leaf.when is not None:
            yield f"`{leaf.when.text}`"


def _every_leaf(task: Rule) -> Leaf | None:
    return None if task.edition_2 is None else task.edition_2.conditions.and_every


class ForwardCycle(NamedTuple):
    """A `$forward` whose event leads to the same `$forward` again, where the same rules are."""

    number: int
    """Its number among the `$forward`s of the rules."""
    way: list[str]
    """The triggers on the way, from the one that it fires to the one that it waits for."""
    is_own_session: bool
    """True if it is the session itself that gets the event."""


def find_forward_cycles(rules: Edition2Plan) -> list[ForwardCycle]:
    """Returns the `$forward`s without a `when` that come back to themselves."""
    cycles = []
    for number, forward in enumerate(rules.forwards):
        if forward.leaf.when is None and (way := _way_back(rules, forward)):
            cycles.append(ForwardCycle(number, way, forward.to.text.strip() == "session.uid"))
    return cycles


def _way_back(rules: Edition2Plan, forward: Forward) -> list[str]:
    """Returns the shortest way from what it fires to what the `$forward` waits for; empty if there is none."""
    begin = forward.trigger or forward.leaf.trigger
    ways = {begin: [begin]}
    ahead = [begin]
    for trigger in ahead:
        if trigger == forward.leaf.trigger:
            return ways[trigger]
        for following in _causes(rules, trigger):
            if following not in ways:
                ways[following] = [*ways[trigger], following]
                ahead.append(following)
    return []


def _causes(rules: Edition2Plan, trigger: str) -> Iterator[str]:
    """Yields the triggers that may be fired because this one is, here or by a `$forward` of the same rules."""
    for task in rules.by_trigger.get(trigger, ()):
        yield task.name
        yield from (f"{task.name}:{status}" for status in OUTCOMES)
    for other in rules.forwards:
        if other.leaf.trigger == trigger:
            yield other.trigger or trigger
