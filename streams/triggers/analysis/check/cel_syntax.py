"""Parses expressions into trees, so that `check` can say what is always or never true of them.

The library that evaluates expressions does not show their structure. This parser knows CEL's operators, members and
calls; whatever it does not know, such as macros, is a node that may have any value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from triggers.core.expressions.names import Token, tokens_of
from triggers.core.expressions.program import constant_of, parse_expression
from triggers.errors import InvalidConfiguration


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, or a constant sub-expression."""

    value: object


@dataclass(frozen=True, slots=True)
class MemberPath:
    """A variable and the members that are selected from it: `kwargs.order.id` is (kwargs, order, id)."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Call:
    """A function, a method (its receiver is the first argument), or an operator such as `&&`."""

    name: str
    arguments: tuple[Syntax, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Syntax, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part that this parser does not know."""

    text: str = ""


Syntax = Constant | MemberPath | Call | Items | Unknown

_MACROS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_RELATIONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_LEVELS: Final = (frozenset({"||"}), frozenset({"&&"}), _RELATIONS, frozenset("+-"), frozenset("*/%"))
"""Binary operators, from the loosest to the tightest."""
_PAIRS: Final = frozenset({"||", "&&", "==", "!=", "<=", ">="})
_WORDS: Final = {"true": True, "false": False, "null": None}
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


class _NotKnown(Exception):
    """The parser does not know this syntax."""


def syntax_of(text: str) -> Syntax:
    """Returns the tree of an expression that compiles."""
    try:
        parser = _Parser(_joined(tokens_of(text)))
        tree = parser.ternary()
        return tree if parser.is_at_end() else Unknown(text)
    except (_NotKnown, RecursionError, InvalidConfiguration):
        return Unknown(text)


def paths_in(tree: Syntax) -> Iterator[MemberPath]:
    """Yields the paths in a tree."""
    match tree:
        case MemberPath():
            yield tree
        case Call():
            for argument in tree.arguments:
                yield from paths_in(argument)
        case Items():
            for item in tree.items:
                yield from paths_in(item)


def _joined(tokens: list[Token]) -> list[Token]:
    """Joins the signs of operators with two characters."""
    joined: list[Token] = []
    for token in tokens:
        if joined and token.kind == joined[-1].kind == "sign" and joined[-1].text + token.text in _PAIRS:
            joined[-1] = Token("sign", joined[-1].text + token.text)
        else:
            joined.append(token)
    return joined


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def is_at_end(self) -> bool:
        return self._at == len(self._tokens)

    def ternary(self) -> Syntax:
        """Parses a whole expression."""
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        yes = self.ternary()
        self._require(":")
        return Call("?:", (condition, yes, self.ternary()))

    def _binary(self, level: int) -> Syntax:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (sign := self._peek()).text in _LEVELS[level] and sign.kind in {"sign", "name"}:
            self._at += 1
            left = Call(sign.text, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Syntax:
        if self._take("!"):
            return Call("!", (self._unary(),))
        if self._take("-"):
            operand = self._unary()
            value = operand.value if isinstance(operand, Constant) else None
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return Constant(-value) if is_number and isinstance(value, int | float) else Call("-", (operand,))
        return self._member()

    def _member(self) -> Syntax:
        tree = self._primary()
        while (sign := self._peek()).text in {".", "["} and sign.kind == "sign":
            self._at += 1
            tree = self._selected(tree) if sign.text == "." else self._indexed(tree)
        return tree

    def _selected(self, tree: Syntax) -> Syntax:
        name = self._next()
        if name.kind != "name":
            raise _NotKnown
        if not self._take("("):
            return (
                MemberPath((*tree.parts, name.text))
                if isinstance(tree, MemberPath)
                else Call("select", (tree, Constant(name.text)))
            )
        if name.text in _MACROS:
            self._skip_to(")")
            return Call(name.text, (Unknown(),))
        return Call(name.text, (tree, *self._until(")")))

    def _indexed(self, tree: Syntax) -> Syntax:
        (index,) = self._until("]")
        if isinstance(tree, MemberPath) and isinstance(index, Constant) and isinstance(index.value, str):
            return MemberPath((*tree.parts, index.value))
        return Call("index", (tree, index))

    def _primary(self) -> Syntax:
        token = self._next()
        match token.kind:
            case "number" | "string":
                return Constant(_value_of(token.text))
            case "name" if token.text in _WORDS:
                return Constant(_WORDS[token.text])
            case "name":
                return Call(token.text, self._until(")")) if self._take("(") else MemberPath((token.text,))
        if token.text == "(":
            tree = self.ternary()
            self._require(")")
            return tree
        if token.text == "[":
            return Items(self._until("]"))
        raise _NotKnown

    def _until(self, end: str) -> tuple[Syntax, ...]:
        items: list[Syntax] = []
        while not self._take(end):
            items.append(self.ternary())
            if not self._take(","):
                self._require(end)
                break
        return tuple(items)

    def _skip_to(self, end: str) -> None:
        """Skips what is in parentheses, up to their end."""
        open_until = [end]
        while open_until:
            text = self._next().text
            if text == open_until[-1]:
                open_until.pop()
            elif text in _CLOSING:
                open_until.append(_CLOSING[text])

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else Token("end", "")

    def _next(self) -> Token:
        if self.is_at_end():
            raise _NotKnown
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token.kind not in {"sign", "name"} or token.text != text:
            return False
        self._at += 1
        return True

    def _require(self, text: str) -> None:
        if not self._take(text):
            raise _NotKnown


def _value_of(literal: str) -> object:
    value = constant_of(parse_expression(literal, "a literal", ()))
    if isinstance(value, bool | int | float | str):
        return value
    raise _NotKnown
