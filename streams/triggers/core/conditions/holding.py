"""The contributions that instances hold, and the fires that are offered to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from triggers.core.contribution import Contribution
from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.expressions.names import Members
from triggers.core.expressions.program import Expression
from triggers.core.expressions.values import decode_members, decode_value, equality_key


class Held(Struct, omit_defaults=True, gc=False):
    """The contributions that a waiting instance holds."""

    slots: dict[str, list[Contribution]] = field(default_factory=dict)
    """Slot of a leaf -> its contributions or candidates, in order."""
    true: list[bytes] = field(default_factory=list)
    """Marks of combinators that have become true within their time."""
    loose: dict[str, Contribution] = field(default_factory=dict)
    """Contributions of plain leaves that an update has removed, by slot."""
    begun: int = 0
    """Bits of `after` and `andEvery`, set once they have held a contribution."""

    def of(self, slot: str) -> list[Contribution]:
        """Returns what the leaf of that slot holds. The caller must not change it."""
        return self.slots.get(slot, [])


class Occurrence:
    """One fire of a trigger, as conditions see it. Its kwargs are decoded when an expression needs them."""

    __slots__ = ("_decoded", "contribution", "trigger")

    def __init__(self, trigger: str, contribution: Contribution) -> None:
        self.trigger = trigger
        self.contribution = contribution
        self._decoded: object = None

    def variables(self, expression: Expression) -> dict[str, object]:
        """Returns those of `kwargs` and `event` that the expression names. Raises ExpressionFailed."""
        found: dict[str, object] = {}
        named = expression.references.variables
        if "kwargs" in named:
            found["kwargs"] = self.kwargs(named["kwargs"])
        if "event" in named:
            own = self.contribution
            found["event"] = {"trigger": self.trigger, "id": own.id, "time": own.time, "source": own.source}
        return found

    def kwargs(self, members: Members) -> object:
        """Returns these members of the kwargs, or all of them for None. Raises ExpressionFailed."""
        if members is not None and self._decoded is None:
            return decode_members(self.contribution.kwargs, members)
        if self._decoded is None:
            self._decoded = decode_value(self.contribution.kwargs)
        return self._decoded


Bound = Callable[[Members], dict[str, object]]
"""Returns what an instance has bound under these aliases, or under all of them for None."""


class Surroundings:
    """The variables that expressions have besides the event and the instance."""

    __slots__ = ("_decoded", "failures", "session")

    def __init__(self, session: Mapping[str, object]) -> None:
        """`session` is the variable of that name."""
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

        Raises ExpressionFailed, and notes it.
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

    def holds(self, expression: Expression, occurrence: Occurrence, bound: Bound | None = None) -> bool:
        """Returns whether it is true. Records an error or a value that is not a boolean, and counts it as false."""
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
