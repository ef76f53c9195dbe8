"""Draws a session: what caused each instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triggers.analysis.graph.causes import By, Cause, CausedInstance
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape


def picture_of_session(instances: Sequence[CausedInstance], title: str) -> Picture:
    """Returns a picture of the instances, the events that they used, operations, and the edges between them."""
    outside = {
        cause.event.offset: cause
        for one in instances
        for cause in one.causes
        if cause.by in {By.APPLICATION, By.OPERATOR}
    }
    return Picture(
        title=title,
        nodes=(
            *(_event(outside[offset]) for offset in sorted(outside)),
            *(
                Node(id=one.name, shape=Shape.TASK, lines=(one.name, one.status), status=one.status)
                for one in instances
            ),
        ),
        edges=tuple(edge for one in instances for edge in _edges(one)),
    )


def _event(cause: Cause) -> Node:
    shape = Shape.TRIGGER if cause.by is By.APPLICATION else Shape.OPERATOR
    return Node(id=_id(cause), shape=shape, lines=(cause.event.what, f"offset {cause.event.offset}"))


def _id(cause: Cause) -> str:
    return f"event {cause.event.offset}"


def _edges(one: CausedInstance) -> Iterator[Edge]:
    for cause in one.causes:
        line = Line.UNLESS if cause.unless else Line.AFTER
        if cause.by is By.PARENT and cause.instance is not None:
            yield Edge(source=cause.instance, target=one.name, line=Line.AGAIN, label="again")
        elif cause.by is By.RESULT and cause.instance is not None:
            yield Edge(source=cause.instance, target=one.name, line=line, label="unless" if cause.unless else "")
        else:
            yield Edge(source=_id(cause), target=one.name, line=line, label="unless" if cause.unless else "")
            if cause.instance is not None:
                yield Edge(source=cause.instance, target=_id(cause), line=Line.AGAIN)
