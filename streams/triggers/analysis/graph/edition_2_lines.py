"""The lines of text in the nodes of a picture of rules of edition 2."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.analysis.times import duration_words
from triggers.core.conditions.tree import Leaf
from triggers.core.edition_2_plan import Forward
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.program import Expression
from triggers.core.session_limits import Timeouts

_WIDEST = 60


def leaf_lines(leaf: Leaf) -> tuple[str, ...]:
    """Returns what a leaf says besides its trigger; the trigger itself comes first if that is more than a number."""
    number = _number(leaf)
    lines = tuple(_details(leaf))
    return (f"{number} {leaf.trigger}".lstrip(), *lines) if lines else (number,) if number else ()


def _number(leaf: Leaf) -> str:
    if leaf.count is None:
        return "all"
    if isinstance(leaf.count, Expression):
        return f"[{_cut(leaf.count.text)}] x"
    return "" if leaf.count == 1 else f"{leaf.count} x"


def _details(leaf: Leaf) -> Iterator[str]:
    if leaf.alias != leaf.trigger:
        yield f"as {leaf.alias}"
    if leaf.when is not None:
        yield f"when {_cut(leaf.when.text)}"
    if leaf.distinct is not None:
        yield f"distinct {_cut(leaf.distinct.text)}"
    if leaf.goes_on and not leaf.plain:
        yield "the latest"


def task_lines(task: Edition2Rule) -> Iterator[str]:
    """Yields the times of a task, and how it is called."""
    if (delay := task.delay) is not None:
        restart = ", restarts" if delay.restart else ""
        at_most = f", at most {duration_words(delay.at_most)}" if delay.at_most else ""
        yield f"delay {duration_words(delay.wait)}{restart}{at_most}"
    if (deadline := task.deadline) is not None:
        yield f"deadline {duration_words(deadline.wait)}: {'runs' if deadline.runs else 'expires'}"
    if (retry := task.retry) is not None:
        yield f"{retry.attempts} attempts, wait {duration_words(retry.wait)} x {retry.backoff:g}"
    if task.timeouts is not None:
        yield from _timeout_lines(task.timeouts)
    if task.arguments is not None:
        yield f"with {_cut(', '.join(task.arguments))}"
    if task.queue is not None:
        yield f"queue {task.queue}"
    if task.optional:
        yield "optional"


def _timeout_lines(limits: Timeouts) -> Iterator[str]:
    for status, limit in (("scheduled", limits.scheduled), ("running", limits.running)):
        if limit:
            yield f"{status} at most {duration_words(limit)}"


def forward_lines(forward: Forward) -> tuple[str, ...]:
    """Returns the trigger that a `$forward` fires, and its session."""
    fired = forward.trigger or forward.leaf.trigger
    arguments = () if forward.arguments is None else (f"with {_cut(', '.join(forward.arguments))}",)
    return (f"fires {fired}", f"in session {_cut(forward.to.text)}", *arguments)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
