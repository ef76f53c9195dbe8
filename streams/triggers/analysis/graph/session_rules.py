"""Draws the rules of a session, with what has fired, what is missing, and the instances of each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from triggers.analysis.explain.trace import Trace
from triggers.analysis.graph.picture import Node, Picture, Shape
from triggers.analysis.graph.rules import picture_of_rules
from triggers.core.events import Event
from triggers.core.statuses import Status
from triggers.errors import CallError, NotFound

_TRIGGER: Final = "trigger "
_TASK: Final = "task "
_WORST_FIRST: Final = (
    "failed", "expired", "running", "scheduled", "delayed", "unstarted", "cancelled", "abandoned", "skipped",
    "finished",
)  # fmt: skip
"""A task with several instances has the colour of the one that needs most attention."""


def picture_of_session_rules(uid: str, events: Iterable[Event]) -> Picture:
    """Returns the rules as `picture_of_rules` does, with the state of the session in each trigger and task."""
    trace = Trace(uid)
    for event in events:
        with suppress(CallError, NotFound):  # what the session refused has changed nothing
            trace.apply(event)
    picture = picture_of_rules(trace.session.plan, uid)
    fired, statuses = frozenset(trace.fired_triggers), trace.statuses
    return replace(picture, nodes=tuple(_with_state(node, fired, statuses) for node in picture.nodes))


def _with_state(node: Node, fired: Collection[str], statuses: Mapping[str, Counter[str]]) -> Node:
    if node.shape is Shape.TRIGGER and node.id.startswith(_TRIGGER):
        has_fired = node.id.removeprefix(_TRIGGER) in fired
        words, status = ("fired", Status.FINISHED) if has_fired else ("missing", Status.UNSTARTED)
        return replace(node, lines=(*node.lines, words), status=status)
    if node.shape is Shape.TASK and node.id.startswith(_TASK):
        counts = +statuses.get(node.id.removeprefix(_TASK), Counter())
        return replace(node, lines=(*node.lines, _count_words(counts)), status=_colour_of(counts))
    return node


def _count_words(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {status}" for status, number in counts.most_common()) or "no instance"


def _colour_of(counts: Counter[str]) -> str | None:
    ranked = [status for status in _WORST_FIRST if counts[status]]
    return next(iter([*ranked, *counts]), None)
