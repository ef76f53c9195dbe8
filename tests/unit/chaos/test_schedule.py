"""The schedule of a fault campaign."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise

from tests.chaos.schedule import Kind, Shot, schedule

KINDS = (
    Kind(name="killed", on="agent"),
    Kind(name="frozen", on="agent", shortest_s=3, longest_s=9),
    Kind(name="all killed", on="agents"),
    Kind(name="cut", on="broker", shortest_s=1, longest_s=5),
    Kind(name="leaders", on="cluster", shortest_s=1, longest_s=5),
    Kind(name="Redis killed", on="redis"),
)
THINGS = {"agent": 3, "agents": 1, "broker": 3, "cluster": 1, "redis": 0}


def planned(seed: int, duration_s: float = 300) -> list[Shot]:
    return schedule(seed, duration_s, KINDS, THINGS)


def test_one_seed_is_one_schedule() -> None:
    assert planned(1) == planned(1) != planned(2)


def test_every_kind_of_fault_occurs_unless_its_target_is_missing() -> None:
    times = Counter(shot.kind for shot in planned(3))

    assert times.keys() == {"killed", "frozen", "all killed", "cut", "leaders"}
    assert max(times.values()) - min(times.values()) <= 3


def test_every_fault_is_over_before_the_end() -> None:
    assert all(shot.at_s + shot.hold_s <= 300 for shot in planned(4))


def test_no_target_has_two_faults_at_a_time() -> None:
    same = [
        (first, second)
        for seed in range(20)
        for first, second in combinations(planned(seed), 2)
        if (first.on, first.target) == (second.on, second.target)
        or {first.on, second.on} in ({"agent", "agents"}, {"broker", "cluster"}, {"broker"})
    ]

    assert same
    assert [pair for pair in same if pair[1].at_s < pair[0].until_s] == []


def test_a_calm_campaign_waits_after_each_fault() -> None:
    planned_calmly = schedule(5, 300, KINDS, THINGS, calm_s=20)

    assert len(planned_calmly) > 5
    assert all(after.at_s - (shot.at_s + shot.hold_s) >= 19.9 for shot, after in pairwise(planned_calmly))
