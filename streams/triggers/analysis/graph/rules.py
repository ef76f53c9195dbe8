"""Draws rules: triggers, tasks, and which waits for which."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.analysis.graph.edition_2_rules import picture_of_edition_2
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape
from triggers.core.plan import Plan, Rule


def picture_of_rules(plan: Plan, title: str) -> Picture:
    """Returns a picture of all tasks and of the triggers that their rules use. A task's name is no separate node."""
    if plan.edition_2 is not None:
        return picture_of_edition_2(plan.edition_2, title)
    used = dict.fromkeys(trigger for task in plan.tasks.values() for trigger in (*task.after, *task.unless))
    triggers = [trigger for trigger in used if trigger not in plan.tasks]
    return Picture(
        title=title,
        nodes=(
            *(Node(id=f"trigger {name}", shape=Shape.TRIGGER, lines=(name,)) for name in triggers),
            *(Node(id=f"task {name}", shape=Shape.TASK, lines=(name, task.run)) for name, task in plan.tasks.items()),
        ),
        edges=tuple(edge for task in plan.tasks.values() for edge in _edges(plan, task)),
    )


def _edges(plan: Plan, task: Rule) -> Iterator[Edge]:
    for trigger in task.after:
        every = trigger == task.and_every
        yield _edge(plan, trigger, task, Line.EVERY if every else Line.AFTER, "every" if every else "")
    for trigger in task.unless:
        yield _edge(plan, trigger, task, Line.UNLESS, "unless" if len(task.unless) == 1 else "unless all")


def _edge(plan: Plan, trigger: str, task: Rule, line: Line, label: str) -> Edge:
    kind = "task" if trigger in plan.tasks else "trigger"
    return Edge(source=f"{kind} {trigger}", target=f"task {task.name}", line=line, label=label)
