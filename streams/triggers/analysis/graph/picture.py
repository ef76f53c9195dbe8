"""Nodes and edges, before they are drawn."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Shape(StrEnum):
    """What a node is."""

    TRIGGER = "trigger"
    """What an application fires, or an event with which it did."""
    TASK = "task"
    """A rule, or an instance of one."""
    OPERATOR = "operator"
    """What an operator did."""


class Line(StrEnum):
    """What an edge means."""

    AFTER = "after"
    EVERY = "every"
    UNLESS = "unless"
    AGAIN = "again"
    """A replay, a retry or a copy."""


class Node(Struct, frozen=True, kw_only=True):
    """A thing with a name."""

    id: str
    """Unique in its picture."""
    shape: Shape
    lines: tuple[str, ...]
    """Its text."""
    status: str | None = None
    """Of an instance."""


class Edge(Struct, frozen=True, kw_only=True):
    """From a cause to its effect."""

    source: str
    target: str
    line: Line
    label: str = ""


class Picture(Struct, frozen=True, kw_only=True):
    """A directed graph."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
