"""Columns of a picture: every edge leads to the right, but for those that close a cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def ranks_of(nodes: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The column of each node, from 0; an edge to a lower column closes a cycle, one to its own node is a loop."""
    targets: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in edges:
        targets[source].append(target)
    place = {node: number for number, node in enumerate(_order(targets))}
    ahead: list[set[int]] = [set() for _ in range(nodes)]
    for source, target in edges:
        first, last = sorted((source, target), key=place.__getitem__)
        if first != last:
            ahead[first].add(last)
    return _longest(list(place), ahead)


def _order(targets: Sequence[Sequence[int]]) -> list[int]:
    """Every node before what it leads to: depth first, backwards. Only what closes a cycle leads back."""
    found, seen = list[int](), set[int]()
    for start in reversed(range(len(targets))):
        found += _finished(start, targets, seen)
    return found[::-1]


def _finished(start: int, targets: Sequence[Sequence[int]], seen: set[int]) -> Iterator[int]:
    """Nodes that can be reached and were not seen, each after those that it leads to."""
    ahead = [(start, iter(targets[start]))] if start not in seen else []
    seen.add(start)
    while ahead:
        node, rest = ahead[-1]
        following = next((target for target in rest if target not in seen), None)
        if following is None:
            yield node
            ahead.pop()
        else:
            seen.add(following)
            ahead.append((following, iter(targets[following])))


def _longest(order: Sequence[int], ahead: Sequence[set[int]]) -> list[int]:
    """Each node right of all that lead to it; one that nothing leads to as near as can be."""
    ranks, entered = [0] * len(order), set[int]()
    for node in order:
        for target in ahead[node]:
            ranks[target] = max(ranks[target], ranks[node] + 1)
            entered.add(target)
    for node in order:
        if node not in entered and ahead[node]:
            ranks[node] = min(ranks[target] for target in ahead[node]) - 1
    return ranks
