"""Sets of numbers as half-open ranges in one flat list: start, stop, start, stop, …

Instances mostly wait and stop waiting in the order of their numbers, so a set of thousands is a list of a few edges.
"""

from __future__ import annotations


def contains(edges: list[int], number: int) -> bool:
    """Returns whether the number is in one of the ranges."""
    for at in range(0, len(edges), 2):  # noqa: SIM110  # a generator takes longer than the comparisons
        if edges[at] <= number < edges[at + 1]:
            return True
    return False


def numbers_in(edges: list[int]) -> list[int]:
    """Returns the numbers of the ranges, in the order of the ranges."""
    numbers: list[int] = []
    for at in range(0, len(edges), 2):
        numbers += range(edges[at], edges[at + 1])
    return numbers


def closed_ranges(edges: list[int]) -> list[tuple[int, int]]:
    """Returns the first and the last number of each range."""
    return [(edges[at], edges[at + 1] - 1) for at in range(0, len(edges), 2)]


def append_number(edges: list[int], number: int) -> None:
    """Adds a number after the last range. The ranges keep the order in which numbers were added."""
    if edges and edges[-1] == number:
        edges[-1] = number + 1
    else:
        edges += (number, number + 1)


def insert_number(edges: list[int], number: int) -> None:
    """Adds a number to ranges in ascending order, which keep that order."""
    at = next((at for at in range(0, len(edges), 2) if edges[at + 1] >= number), len(edges))
    if at == len(edges) or edges[at] > number + 1:
        edges[at:at] = [number, number + 1]
        return
    edges[at], edges[at + 1] = min(edges[at], number), max(edges[at + 1], number + 1)
    if at + 2 < len(edges) and edges[at + 2] == edges[at + 1]:
        edges[at + 1 : at + 3] = []


def remove_number(edges: list[int], number: int) -> None:
    """Removes a number, which splits a range if it is in the middle of one."""
    for at in range(0, len(edges), 2):
        start, stop = edges[at], edges[at + 1]
        if start <= number < stop:
            halves = ((start, number), (number + 1, stop))
            edges[at : at + 2] = [edge for half in halves if half[0] < half[1] for edge in half]
            return
