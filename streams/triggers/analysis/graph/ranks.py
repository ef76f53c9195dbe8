"""Assigns the nodes of a picture to columns so that every edge leads to the right, except those that close a cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def ranks_of(nodes: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Returns the column of each node, from 0. Only edges that close a cycle lead to a lower column."""
    targets: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in edges:
        targets[source].append(target)
    order = {node: number for number, node in enumerate(_order(targets))}
    ahead: list[set[int]] = [set() for _ in range(nodes)]
    for source, target in edges:
        first, last = sorted((source, target), key=order.__getitem__)
        if first != last:
            ahead[first].add(last)
    return _longest(list(order), ahead)


def _order(targets: Sequence[Sequence[int]]) -> list[int]:
    """Sorts nodes topologically, by a reversed depth-first search. Only edges that close a cycle lead back."""
    order, seen = list[int](), set[int]()
    for start in reversed(range(len(targets))):
        order += _finished(start, targets, seen)
    return order[::-1]


def _finished(start: int, targets: Sequence[Sequence[int]], seen: set[int]) -> Iterator[int]:
    """Yields the nodes that can be reached and were not seen, each after those to which it leads."""
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
    """Puts each node right of all that lead to it, and a node without predecessors just left of its nearest target."""
    ranks, entered = [0] * len(order), set[int]()
    for node in order:
        for target in ahead[node]:
            ranks[target] = max(ranks[target], ranks[node] + 1)
            entered.add(target)
    for node in order:
        if node not in entered and ahead[node]:
            ranks[node] = min(ranks[target] for target in ahead[node]) - 1
    return ranks
