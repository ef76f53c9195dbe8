"""Finds `$forward`s that come back, or that never fire anything."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.analysis.check.cel_syntax import syntax_of
from triggers.analysis.check.cycles import ForwardCycle, find_forward_cycles
from triggers.analysis.check.filters import Filter
from triggers.analysis.check.findings import CheckFinding, finding
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.locations import Locations
from triggers.core.edition_2_plan import FORWARD, Edition2Plan, Forward


def forward_findings(rules: Edition2Plan, locations: Locations, supply: Supply) -> Iterator[CheckFinding]:
    """Yields the findings about `$forward`."""
    location = locations.find(FORWARD)
    for cycle in find_forward_cycles(rules):
        name, message = _forward_cycle(cycle, rules.forwards[cycle.number])
        fix = "give the `$forward` a `when` that ends it, or let it fire a trigger that no `$forward` waits for"
        yield finding(name, location, message, fix, task=FORWARD)
    for forward in rules.forwards:
        if why := _why_never(forward, supply):
            message = f"`$forward` never fires for {forward.leaf.trigger!r}: {why}"
            yield finding("never-true", location, message, "correct the `$forward`, or delete it", task=FORWARD)


def _forward_cycle(cycle: ForwardCycle, forward: Forward) -> tuple[str, str]:
    way = " → ".join(map(repr, cycle.way))
    if cycle.is_own_session:
        begin = f"`$forward` fires in the session itself for {forward.leaf.trigger!r}"
        return "endless-forward", f"{begin}, again and again ({way}), until the ninth time becomes a dead letter"
    begin = f"`$forward` fires again for {forward.leaf.trigger!r} in every session with the same rules"
    return "forward-chain", f"{begin} ({way}), until the ninth time becomes a dead letter"


def _why_never(forward: Forward, supply: Supply) -> str:
    leaf = forward.leaf
    if leaf.when is not None and (why := Filter(syntax_of(leaf.when.text), leaf.trigger).why_never()):
        return why
    return supply.why_not(leaf.trigger)
