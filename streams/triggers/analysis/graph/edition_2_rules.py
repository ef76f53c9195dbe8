"""Draws rules of edition 2. A condition that is more than a list of triggers has nodes of its own."""

from __future__ import annotations

from collections.abc import Iterable

from triggers.analysis.graph.edition_2_lines import forward_lines, leaf_lines, task_lines
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape
from triggers.analysis.times import duration_words
from triggers.core.conditions.tree import Combinator, Kind, Leaf
from triggers.core.conditions.tree import Node as Condition
from triggers.core.edition_2_plan import OUTCOMES, Edition2Plan
from triggers.core.edition_2_rule import Edition2Rule


def picture_of_edition_2(rules: Edition2Plan, title: str) -> Picture:
    """Returns a picture of all tasks, their conditions, the triggers that they use, and the `$forward`s."""
    drawing = _Drawing(rules)
    for task in rules.tasks.values():
        drawing.add_task(task)
    drawing.add_forwards()
    return drawing.picture(title)


class _Drawing:
    def __init__(self, rules: Edition2Plan) -> None:
        self._rules = rules
        self._triggers: dict[str, Node] = {}
        self._conditions: list[Node] = []
        self._tasks: list[Node] = []
        self._sessions: list[Node] = []
        self._edges: list[Edge] = []
        if rules.finalize is not None:
            self._add_trigger(rules.finalize)

    def picture(self, title: str) -> Picture:
        nodes = (*self._triggers.values(), *self._conditions, *self._tasks, *self._sessions)
        return Picture(title=title, nodes=nodes, edges=tuple(self._edges))

    def add_task(self, task: Edition2Rule) -> None:
        """Adds a task, and what it waits for."""
        conditions, name = task.conditions, f"task {task.name}"
        self._tasks.append(Node(id=name, shape=Shape.TASK, lines=(task.name, task.run, *task_lines(task))))
        root, target = conditions.root, name
        if root.within:
            target = self._add_condition(f"{task.name} within", _heading(root))
            self._add_edge(target, name, Line.AFTER)
        for child in root.children:
            if child is conditions.and_every:
                self._add_leaf(conditions.and_every, target, Line.EVERY, "every")
            else:
                self._add(child, target, Line.AFTER)
        if conditions.unless is not None:
            self._add(conditions.unless, name, Line.UNLESS, "unless")
        if (cancel_on := task.cancel_on) is not None:
            for leaf in cancel_on.leaves:
                self._add_leaf(leaf, name, Line.CANCEL, "terminates" if cancel_on.terminate else "cancels")

    def add_forwards(self) -> None:
        """Adds what `$forward` fires in other sessions."""
        for number, forward in enumerate(self._rules.forwards):
            name = f"forward {number}"
            self._sessions.append(Node(id=name, shape=Shape.SESSION, lines=forward_lines(forward)))
            self._add_leaf(forward.leaf, name, Line.FORWARD, "forwards")

    def _add(self, condition: Condition, target: str, line: Line, label: str = "") -> None:
        """Draws a condition that makes `target` true. Lists whose children are all needed have no node."""
        if isinstance(condition, Leaf):
            self._add_leaf(condition, target, line, label)
        elif not condition.within and len(condition.children) == 1:
            self._add(condition.children[0], target, line, label)
        elif condition.kind is Kind.ALL and not condition.within and line is Line.AFTER and self._needs_all(target):
            self._add_each(condition.children, target, label)
        else:
            node = self._add_condition(f"{target} {len(self._conditions)}", _heading(condition))
            self._add_edge(node, target, line, label)
            self._add_each(condition.children, node, "", numbered=condition.kind is Kind.SEQUENCE)

    def _add_each(self, children: Iterable[Condition], target: str, label: str, *, numbered: bool = False) -> None:
        for number, child in enumerate(children, 1):
            self._add(child, target, Line.AFTER, f"{number}." if numbered else label)

    def _needs_all(self, target: str) -> bool:
        """Returns whether what leads to the node is all needed: it is a task, or the window of a whole task."""
        return target.startswith("task ") or target.endswith(" within")

    def _add_leaf(self, leaf: Leaf, target: str, line: Line, label: str = "") -> None:
        """Draws an edge from a trigger, through a node if the leaf says more than a number."""
        source, outcome = self._source_of(leaf.trigger)
        lines = leaf_lines(leaf)
        if len(lines) < 2:
            self._add_edge(source, target, line, " ".join(part for part in (label, *lines, outcome) if part))
            return
        node = self._add_condition(f"{target} {len(self._conditions)}", *lines)
        self._add_edge(source, node, Line.AFTER, outcome)
        self._add_edge(node, target, line, label)

    def _source_of(self, trigger: str) -> tuple[str, str]:
        """Returns the node that fires a trigger, and the status if it is an outcome trigger."""
        task, _, status = trigger.rpartition(":")
        if trigger in self._rules.tasks:
            return f"task {trigger}", ""
        if status in OUTCOMES and task in self._rules.tasks:
            return f"task {task}", status
        self._add_trigger(trigger)
        return f"trigger {trigger}", ""

    def _add_trigger(self, name: str) -> None:
        lines = (name, "when no task is unresolved") if name == self._rules.finalize else (name,)
        self._triggers.setdefault(name, Node(id=f"trigger {name}", shape=Shape.TRIGGER, lines=lines))

    def _add_condition(self, name: str, *lines: str) -> str:
        self._conditions.append(Node(id=f"condition {name}", shape=Shape.CONDITION, lines=lines))
        return f"condition {name}"

    def _add_edge(self, source: str, target: str, line: Line, label: str = "") -> None:
        self._edges.append(Edge(source=source, target=target, line=line, label=label))


def _heading(condition: Combinator) -> str:
    kind = f"at least {condition.need}" if condition.kind is Kind.AT_LEAST else str(condition.kind)
    return f"{kind} within {duration_words(condition.within)}" if condition.within else kind
