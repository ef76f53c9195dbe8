"""`Evaluator`: evaluates the expressions of conditions on a fire, on the session and on what an instance has bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from triggers.core.contribution import Contribution
from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.expressions.names import Members
from triggers.core.expressions.program import Expression
from triggers.core.expressions.values import decode_members, decode_value, equality_key


class Occurrence:
    """One fire of a trigger, as conditions see it. Its kwargs are decoded when an expression needs them."""

    __slots__ = ("_decoded", "contribution", "trigger")

    def __init__(self, trigger: str, contribution: Contribution) -> None:
        self.trigger = trigger
        self.contribution = contribution
        self._decoded: object = None

    def variables(self, expression: Expression) -> dict[str, object]:
        """Returns those of `kwargs` and `event` that the expression names. Raises ExpressionFailed."""
        variables: dict[str, object] = {}
        if expression.uses("kwargs"):
            variables["kwargs"] = self.kwargs(expression.members_of("kwargs"))
        if expression.uses("event"):
            event = self.contribution
            variables["event"] = {"trigger": self.trigger, "id": event.id, "time": event.time, "source": event.source}
        return variables

    def kwargs(self, members: Members) -> object:
        """Returns these members of the kwargs, or all of them for None. Raises ExpressionFailed."""
        if members is not None and self._decoded is None:
            return decode_members(self.contribution.kwargs, members)
        if self._decoded is None:
            self._decoded = decode_value(self.contribution.kwargs)
        return self._decoded


Bound = Callable[[Members], dict[str, object]]
"""Returns what an instance has bound under these aliases, or under all of them for None."""


class Evaluator:
    """Evaluates expressions of one session, and collects their failures."""

    __slots__ = ("_decoded", "failures", "session")

    def __init__(self, session: Mapping[str, object]) -> None:
        """`session` is the variable of this name, which every expression may read."""
        self.session = session
        self.failures: list[tuple[str, str]] = []
        """Expression and reason of each failure: an error, or a value that is not a boolean where one is required."""
        self._decoded: dict[bytes, object] = {}

    def decoded(self, kwargs: bytes) -> object:
        """Returns JSON as an expression sees it. Raises ExpressionFailed."""
        if kwargs not in self._decoded:
            self._decoded[kwargs] = decode_value(kwargs)
        return self._decoded[kwargs]

    def evaluate(self, expression: Expression, occurrence: Occurrence | None, bound: Bound | None = None) -> object:
        """Evaluates an expression, which may read the occurrence, the session and what an instance has bound.

        Records an error in `failures` and raises it as ExpressionFailed.
        """
        try:
            variables = {} if occurrence is None else occurrence.variables(expression)
            if expression.uses("session"):
                variables["session"] = self.session
            if bound is not None and expression.uses("on"):
                variables["on"] = bound(expression.aliases)
            return expression.evaluate(variables)
        except ExpressionFailed as error:
            self.failures.append((expression.text, str(error)))
            raise

    def is_true(self, expression: Expression, occurrence: Occurrence, bound: Bound | None = None) -> bool:
        """Returns whether the expression is true. An error or any other value is recorded and counts as false."""
        try:
            result = self.evaluate(expression, occurrence, bound)
        except ExpressionFailed:
            return False
        if not isinstance(result, bool):
            self.failures.append((expression.text, f"{result!r:.80} is not a boolean"))
        return result is True

    def key(self, expression: Expression, occurrence: Occurrence) -> bytes:
        """Returns a key that equal results share. Records an error and raises it as ExpressionFailed."""
        value = self.evaluate(expression, occurrence)
        try:
            return equality_key(value)
        except ExpressionFailed as error:
            self.failures.append((expression.text, str(error)))
            raise
