"""One expression of a rule, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.expressions.functions import FUNCTIONS, METHODS, OWN_FUNCTIONS, RENAMED
from triggers.core.expressions.names import Members, References, references_of, with_calls_renamed
from triggers.core.expressions.values import equality_key
from triggers.core.nearest_name import suggestion
from triggers.errors import InvalidConfiguration

if TYPE_CHECKING:
    import cel

MAX_CHARACTERS: Final = 4_096
_NO_MEMBERS: Final[frozenset[str]] = frozenset()


class Expression:
    """A compiled expression. Evaluating it changes nothing, so threads may share it."""

    __slots__ = ("_functions", "_program", "references", "text")

    def __init__(self, text: str, program: cel.Program, references: References) -> None:
        self.text = text
        self.references = references
        self._program = program
        called = sorted(references.called.intersection(OWN_FUNCTIONS))
        self._functions = dict(OWN_FUNCTIONS[name] for name in called)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    @property
    def aliases(self) -> Members:
        """Returns the aliases that the expression names, or None if it reads `on` as a whole. Empty without `on`."""
        return self.members_of("on")

    def members_of(self, name: str) -> Members:
        """Returns the members of the variable that it reads, or None for the whole of it."""
        return self.references.variables.get(name, _NO_MEMBERS)

    def uses(self, name: str) -> bool:
        """Returns whether it refers to the variable."""
        return name in self.references.variables

    def evaluate(self, variables: dict[str, object]) -> object:
        """Returns the result. Raises ExpressionFailed if there is none, whatever the reason."""
        try:
            return self._program.execute(_context(variables, self._functions) if self._functions else variables)
        except Exception as error:  # the library raises what its functions raise
            raise ExpressionFailed(f"{type(error).__name__}: {error}"[:500]) from error

    def key(self, variables: dict[str, object]) -> bytes:
        """Returns a key of the result that equal results share. Raises ExpressionFailed."""
        return equality_key(self.evaluate(variables))


def _context(variables: dict[str, object], functions: dict[str, Callable[..., object]]) -> cel.Context:
    import cel

    return cel.Context(variables, functions)


def parse_expression(value: object, where: str, names: Iterable[str]) -> Expression:
    """Compiles an expression that may use the names.

    Raises InvalidConfiguration, which begins with `where` and names the text and the fix.
    """
    if not isinstance(value, str):
        raise InvalidConfiguration(f'{where}: {value!r:.80} is not an expression; write CEL as a text, such as "1 + 1"')
    if len(value) > MAX_CHARACTERS:
        raise InvalidConfiguration(f"{where}: it has {len(value)} characters; at most {MAX_CHARACTERS} are allowed")
    program, references = _compiled(value, where), references_of(value, _text_of)
    if not references.called.isdisjoint(RENAMED):
        program = _compiled(with_calls_renamed(value, RENAMED), where)
    expression = Expression(value, program, references)
    _check_names(expression, where, sorted(names))
    return expression


def _compiled(text: str, where: str) -> cel.Program:
    import cel

    try:
        return cel.compile(text)
    except Exception as error:  # the library promises no class
        raise InvalidConfiguration(f"{where}: {text!r:.200} is not CEL: {_first_line(error)}") from error


def _text_of(literal: str) -> str:
    return str(_compiled(literal, "a literal").execute({}))


def _first_line(error: Exception) -> str:
    text = str(error).partition("ERROR: ")[2] or str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__


def _check_names(expression: Expression, where: str, names: list[str]) -> None:
    references, text = expression.references, f"{expression.text!r:.200}"
    for name in sorted(references.variables.keys() - set(names)):
        raise InvalidConfiguration(
            f"{where}: {text} uses the unknown name {name!r}{suggestion(name, names)}; the names are {', '.join(names)}"
        )
    for name in sorted(references.functions - FUNCTIONS):
        raise InvalidConfiguration(f"{where}: {text} calls the unknown function {name}(){suggestion(name, FUNCTIONS)}")
    for name in sorted(references.methods - METHODS):
        raise InvalidConfiguration(f"{where}: {text} calls the unknown method .{name}(){suggestion(name, METHODS)}")


def constant_of(expression: Expression) -> object:
    """Returns the value of a constant expression, or None if it depends on a variable or cannot be evaluated."""
    if expression.references.variables:
        return None
    try:
        return expression.evaluate({})
    except ExpressionFailed:
        return None
