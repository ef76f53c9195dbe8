"""Who waits in which cohort. Numbers mostly come in order, so the ranges of a cohort are few."""

from __future__ import annotations

from triggers.core.header import Cohort, TaskState
from triggers.core.instance import Instance


def join(state: TaskState, number: int, instance: Instance) -> None:
    """Let an unstarted instance wait."""
    edges = _cohort_of(state, sorted(instance.kwargs), instance.seen).members
    if edges and edges[-1] == number:
        edges[-1] = number + 1
    else:
        edges += (number, number + 1)


def _cohort_of(state: TaskState, have: list[str], seen: list[str]) -> Cohort:
    """Where an instance with nothing pending belongs."""
    for cohort in state.cohorts:
        if cohort.have == have and cohort.seen == seen and not cohort.fills:
            return cohort
    cohort = Cohort(have, seen, {}, [])
    state.cohorts.append(cohort)
    return cohort


def cohort_with(state: TaskState, number: int) -> Cohort | None:
    """Where an instance waits; None: it does not."""
    for cohort in state.cohorts:
        edges = cohort.members
        for at in range(0, len(edges), 2):
            if edges[at] <= number < edges[at + 1]:
                return cohort
    return None


def leave(state: TaskState, number: int) -> Cohort | None:
    """Take an instance out of the cohort where it waits."""
    cohort = cohort_with(state, number)
    if cohort is not None:
        cohort.members = _without(cohort.members, number)
        if not cohort.members:
            state.cohorts.remove(cohort)
    return cohort


def _without(edges: list[int], number: int) -> list[int]:
    left: list[int] = []
    for at in range(0, len(edges), 2):
        start, stop = edges[at], edges[at + 1]
        halves = ((start, number), (number + 1, stop)) if start <= number < stop else ((start, stop),)
        left += [edge for half in halves if half[0] < half[1] for edge in half]
    return left


def numbers_of(cohort: Cohort) -> list[int]:
    """Of its members, in order of creation but for those that came back."""
    edges = cohort.members
    numbers: list[int] = []
    for at in range(0, len(edges), 2):
        numbers += range(edges[at], edges[at + 1])
    return numbers


def only_number(cohort: Cohort) -> int | None:
    """Of its member, if it has one alone."""
    edges = cohort.members
    return edges[0] if len(edges) == 2 and edges[1] == edges[0] + 1 else None
