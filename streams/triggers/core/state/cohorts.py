"""Membership of cohorts. Instances mostly join in the order of their numbers, so a cohort has few ranges."""

from __future__ import annotations

from triggers.core.state.header_parts import Cohort, TaskState
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.number_ranges import append_number, contains, numbers_in, remove_number


def add_to_cohort(state: TaskState, loaded: LoadedInstance) -> None:
    """Adds an unstarted instance to the cohort that waits for the same triggers."""
    number, instance = loaded.number, loaded.instance
    append_number(_cohort_for(state, sorted(instance.kwargs), instance.unless_seen).members, number)


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
        if contains(cohort.members, number):
            return cohort
    return None


def remove_from_cohort(state: TaskState, number: int) -> Cohort | None:
    """Removes an instance from the cohort in which it waits and returns that cohort, or None."""
    cohort = find_cohort(state, number)
    if cohort is not None:
        remove_number(cohort.members, number)
        if not cohort.members:
            state.cohorts.remove(cohort)
    return cohort


def members_of_cohort(cohort: Cohort) -> list[int]:
    """Returns the members' numbers in the order of creation; those that were set back to unstarted come last."""
    return numbers_in(cohort.members)


def only_member(cohort: Cohort) -> int | None:
    """Returns the number of the only member, or None if the cohort has several."""
    edges = cohort.members
    return edges[0] if len(edges) == 2 and edges[1] == edges[0] + 1 else None
