"""Membership of cohorts. Instances mostly join in the order of their numbers, so a cohort has few ranges."""

from __future__ import annotations

from triggers.core.state.header import Cohort, TaskState
from triggers.core.state.loaded_instance import LoadedInstance


def add_to_cohort(state: TaskState, loaded: LoadedInstance) -> None:
    """Adds an unstarted instance to the cohort that waits for the same triggers."""
    number, instance = loaded.number, loaded.instance
    edges = _cohort_for(state, sorted(instance.kwargs), instance.unless_seen).members
    if edges and edges[-1] == number:
        edges[-1] = number + 1
    else:
        edges += (number, number + 1)


def _cohort_for(state: TaskState, have: list[str], seen: list[str]) -> Cohort:
    """Returns the cohort with these triggers and without fills; creates it if there is none."""
    for cohort in state.cohorts:
        if cohort.have == have and cohort.seen == seen and not cohort.fills:
            return cohort
    cohort = Cohort(have, seen, {}, [])
    state.cohorts.append(cohort)
    return cohort


def find_cohort(state: TaskState, number: int) -> Cohort | None:
    """Returns the cohort in which an instance waits, or None if it waits in none."""
    for cohort in state.cohorts:
        edges = cohort.members
        for at in range(0, len(edges), 2):
            if edges[at] <= number < edges[at + 1]:
                return cohort
    return None


def remove_from_cohort(state: TaskState, number: int) -> Cohort | None:
    """Removes an instance from the cohort in which it waits and returns that cohort, or None."""
    cohort = find_cohort(state, number)
    if cohort is not None:
        cohort.members = _remove_number(cohort.members, number)
        if not cohort.members:
            state.cohorts.remove(cohort)
    return cohort


def _remove_number(edges: list[int], number: int) -> list[int]:
    remaining: list[int] = []
    for at in range(0, len(edges), 2):
        start, stop = edges[at], edges[at + 1]
        halves = ((start, number), (number + 1, stop)) if start <= number < stop else ((start, stop),)
        remaining += [edge for half in halves if half[0] < half[1] for edge in half]
    return remaining


def members_of_cohort(cohort: Cohort) -> list[int]:
    """Returns the members' numbers in the order of creation; those that were set back to unstarted come last."""
    edges = cohort.members
    numbers: list[int] = []
    for at in range(0, len(edges), 2):
        numbers += range(edges[at], edges[at + 1])
    return numbers


def only_member(cohort: Cohort) -> int | None:
    """Returns the number of the only member, or None if the cohort has several."""
    edges = cohort.members
    return edges[0] if len(edges) == 2 and edges[1] == edges[0] + 1 else None
