"""Pictures as nodes and edges, independent of the format in which they are drawn."""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from unicodedata import category

from msgspec import Struct

from triggers.analysis.visible_text import show_hidden
from triggers.core.statuses import Status


class Shape(StrEnum):
    """The kind of a node."""

    TRIGGER = "trigger"
    """A trigger that applications fire, or an event with which one did."""
    TASK = "task"
    """A rule, or an instance of one."""
    OPERATOR = "operator"
    """An operation of an operator."""
    CONDITION = "condition"
    """A condition of edition 2: a combinator, or a leaf with more than a trigger."""
    TIMER = "timer"
    """A timer that was due."""
    SESSION = "session"
    """Another session, in which `$forward` fires a trigger."""


class Line(StrEnum):
    """The meaning of an edge."""

    AFTER = "after"
    EVERY = "every"
    UNLESS = "unless"
    AGAIN = "again"
    """A replay, a retry or a copy."""
    CANCEL = "cancel"
    """A line from a leaf that cancels an instance, or from a deadline that makes it expire."""
    FORWARD = "forward"
    """A line to the session in which `$forward` fires a trigger."""


class Node(Struct, frozen=True, kw_only=True):
    """A node of a picture."""

    id: str
    """Unique in its picture."""
    shape: Shape
    lines: tuple[str, ...]
    """The lines of its text."""
    status: str | None = None
    """The status, if the node is an instance."""


class Edge(Struct, frozen=True, kw_only=True):
    """An edge from a cause to its effect."""

    source: str
    target: str
    line: Line
    label: str = ""


class Picture(Struct, frozen=True, kw_only=True):
    """A directed graph."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


_COLOURS: Final[dict[str, str]] = {
    Status.UNSTARTED: "#ffffff",
    Status.SCHEDULED: "#fff3c4",
    Status.RUNNING: "#cfe8ff",
    Status.FINISHED: "#d5f0d5",
    Status.FAILED: "#f8d0cc",
    Status.SKIPPED: "#e6e0f0",
    Status.ABANDONED: "#e4e4e4",
    Status.REPLAYED: "#f3e6d0",
    "delayed": "#fdf0e6",
    "expired": "#ead9d9",
    "cancelled": "#dcdce6",
}


_OWN: Final = "#e0f2f1"
"""The colour of the application's own statuses."""


def colour(status: str) -> str:
    """Returns a background colour that is light enough for black text."""
    return _COLOURS.get(status, _OWN)


def drawable(text: str) -> str:
    """Returns one line of text, with spaces for the characters that no language of pictures can hold, and escapes for
    those that are hidden.
    """
    held = "".join(" " if category(char) in {"Cc", "Cs"} or char in _NO_CHARACTERS else char for char in text)
    return show_hidden(held)


_NO_CHARACTERS: Final = "\ufffe\uffff"
"""Unicode guarantees that they are no characters, and XML refuses them."""
