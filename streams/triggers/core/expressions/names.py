"""Finds what an expression refers to, from its tokens: variables, their members, functions.

The library tells which identifiers occur, but neither which of them a macro binds (`[1].exists(x, x > 1)`) nor which
members of a variable are read. The latter decides which aliases a `when` needs, and which kwargs must be decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

Members = frozenset[str] | None
"""Members of a variable that an expression reads; None: it looks at the whole of it."""

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>(?:[bB][rR]?|[rR][bB]?)?(?:
        (?<=[rR])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
        |\"{3}(?:\\.|.)*?\"{3}|'{3}(?:\\.|.)*?'{3}
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
    |(?P<number>[0-9](?:[0-9a-zA-Z.]|(?<=[eE])[+-])*|\.[0-9](?:[0-9a-zA-Z]|(?<=[eE])[+-])*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_MACROS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_WORDS: Final = frozenset({"true", "false", "null", "in"})


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `kind` is string, name, number or sign."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class References:
    """The variables, members and functions of an expression."""

    variables: dict[str, Members]
    functions: frozenset[str]
    """The functions that are called as `f(x)`."""
    methods: frozenset[str]
    """Called as `x.f()`, macros included."""

    @property
    def called(self) -> frozenset[str]:
        """Returns all functions that are called in either way."""
        return self.functions | self.methods


_END: Final = Token("end", "")


def references_of(text: str, text_of: Callable[[str], str]) -> References:
    """Returns what an expression refers to. It must be one that the library parses.

    `text_of` gives the value of a string literal.
    """
    return _Scan(tokens_of(text), text_of).run()


def with_calls_renamed(text: str, names: Mapping[str, str]) -> str:
    """Returns the expression with functions called by other names, as `f(x)` and as `x.f()`."""
    matches = list(_TOKEN.finditer(text))
    return "".join(
        names.get(match.group(), match.group()) if _is_called(matches, at) else match.group()
        for at, match in enumerate(matches)
    )


def _is_called(matches: list[re.Match[str]], at: int) -> bool:
    following = next((match.group() for match in matches[at + 1 :] if match.lastgroup != "space"), "")
    return matches[at].lastgroup == "name" and following == "("


def tokens_of(text: str) -> list[Token]:
    """Returns the tokens of an expression, without white space and comments."""
    return [
        Token(match.lastgroup, match.group())
        for match in _TOKEN.finditer(text)
        if match.lastgroup is not None and match.lastgroup != "space"
    ]


class _Scan:
    """One pass over the tokens. What a macro binds is known within the parentheses of its call."""

    def __init__(self, tokens: list[Token], text_of: Callable[[str], str]) -> None:
        self._tokens = tokens
        self._text_of = text_of
        self._variables: dict[str, Members] = {}
        self._functions: set[str] = set()
        self._methods: set[str] = set()
        self._scopes: list[str | None] = []
        """One entry for each open bracket: the name that it binds."""

    def run(self) -> References:
        for at, token in enumerate(self._tokens):
            if token.kind == "sign":
                self._count_brackets(at, token.text)
            elif token.kind == "name" and token.text not in _WORDS:
                self._name(at, token.text)
        return References(self._variables, frozenset(self._functions), frozenset(self._methods))

    def _at(self, at: int) -> Token:
        return self._tokens[at] if 0 <= at < len(self._tokens) else _END

    def _count_brackets(self, at: int, sign: str) -> None:
        if sign in "([{":
            self._scopes.append(self._bound_by(at) if sign == "(" else None)
        elif sign in ")]}" and self._scopes:
            self._scopes.pop()

    def _bound_by(self, at: int) -> str | None:
        """Returns the name that a macro binds if its parenthesis opens here."""
        is_macro = self._at(at - 1).text in _MACROS and self._at(at - 2).text == "."
        name = self._at(at + 1)
        return name.text if is_macro and name.kind == "name" and self._at(at + 2).text == "," else None

    def _name(self, at: int, name: str) -> None:
        called = self._at(at + 1).text == "("
        if self._is_member(at):
            if called:
                self._methods.add(name)
        elif called:
            self._functions.add(name)
        elif name not in self._scopes:
            self._add_variable(at, name)

    def _is_member(self, at: int) -> bool:
        """Returns whether a dot selects the name from a value. `.kwargs` alone means the outermost variable."""
        before = self._at(at - 2)
        if self._at(at - 1).text == "?":
            before = self._at(at - 3)
            return self._at(at - 2).text == "."
        return self._at(at - 1).text == "." and (
            (before.kind == "name" and before.text != "in")
            or before.kind in {"string", "number"}
            or before.text in {")", "]", "}"}
        )

    def _add_variable(self, at: int, name: str) -> None:
        member = self._member_read(at)
        known = self._variables.get(name, frozenset())
        self._variables[name] = None if member is None or known is None else known | {member}

    def _member_read(self, at: int) -> str | None:
        """Returns the one member that this mention of a variable looks at: `v.m`, `v["m"]` or `"m" in v`."""
        sign, member, end = self._at(at + 1), self._at(at + 2), self._at(at + 3)
        if sign.text == "." and member.kind == "name" and end.text != "(":
            return member.text
        if sign.text == "[" and member.kind == "string" and end.text == "]":
            return self._literal(member.text)
        if self._at(at - 1).text == "in" and self._ends_here(at) and self._at(at - 2).kind == "string":
            return self._literal(self._at(at - 2).text) if not self._is_concatenated(at - 3) else None
        return None

    def _ends_here(self, at: int) -> bool:
        return self._at(at + 1).text not in {".", "[", "("}

    def _is_concatenated(self, at: int) -> bool:
        """Returns whether the literal is part of a longer operand: `"a" + "b" in on`."""
        return self._at(at).text in {"+", "."}

    def _literal(self, text: str) -> str | None:
        is_bytes = "b" in re.split("[\"']", text, maxsplit=1)[0].lower()
        return None if is_bytes else self._text_of(text)
