"""Evaluates the expressions of `with`: the arguments of a Celery task, and the kwargs that `$forward` fires with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from triggers.core.commands import ForwardTrigger
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.offering import match_leaves
from triggers.core.edition_2_plan import Forward
from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.expressions.names import Members
from triggers.core.expressions.program import Expression
from triggers.core.expressions.values import decode_members, decode_value, encode_value
from triggers.core.kwargs import encoded_name, join_members

MAX_UID_BYTES = 1_024


class ArgumentFailed(Exception):
    """An argument has no value, or a value that JSON cannot express. The message is the parameter's name."""


def bind_received(received: bytes) -> Callable[[Members], dict[str, object]]:
    """Returns the variable `on` of an instance that no longer waits. `received` is what its task received."""

    def bound(aliases: Members) -> dict[str, object]:
        if aliases is not None:
            return decode_members(received, aliases)
        value = decode_value(received)
        return value if isinstance(value, dict) else {}

    return bound


def encode_arguments(expressions: Mapping[str, Expression], received: bytes, evaluator: Evaluator) -> bytes:
    """Returns the keyword arguments as a JSON object. Raises ArgumentFailed for the first that has no value."""
    bound, members = bind_received(received), list[bytes]()
    for name, expression in expressions.items():
        try:
            members.append(encoded_name(name) + encode_value(evaluator.evaluate(expression, None, bound)))
        except ExpressionFailed as error:
            raise ArgumentFailed(name) from error
    return join_members(members)


def make_forward(
    forward: Forward, occurrence: Occurrence, evaluator: Evaluator, event_id: str
) -> ForwardTrigger | None:
    """Returns the trigger to fire in another session, or None if the leaf refuses the event or an expression fails."""
    if not match_leaves((forward.leaf,), occurrence, evaluator).keys:
        return None
    try:
        to, kwargs = evaluator.evaluate(forward.to, occurrence), occurrence.contribution.kwargs
        if forward.arguments is not None:
            values = {name: evaluator.evaluate(each, occurrence) for name, each in forward.arguments.items()}
            kwargs = join_members([encoded_name(name) + encode_value(value) for name, value in values.items()])
    except ExpressionFailed:
        return None
    if not isinstance(to, str) or not 1 <= len(to.encode()) <= MAX_UID_BYTES:
        return None
    return ForwardTrigger(session=to, trigger=forward.trigger or occurrence.trigger, kwargs=kwargs, id=event_id)
