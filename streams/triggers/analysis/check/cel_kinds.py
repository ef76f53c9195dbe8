"""Says what kinds of values the parts of an expression have, and compares those that are known without an event."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from triggers.analysis.check.cel_syntax import Call, Constant, Items, MemberPath, Syntax, Unknown

MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "event": {"trigger": "text", "id": "text or null", "time": "number", "source": "text or null"},
    "session": {"uid": "text", "rules": "text or null"},
}
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ON_TEXT: Final = frozenset({"contains", "startsWith", "endsWith", "matches"})
_TRUTHS: Final = ON_TEXT | {
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "has",
    "bool",
    "in",
    "!",
    "&&",
    "||",
    *COMPARE,
}
"""The functions and operators whose value is a boolean."""
_NUMBERS: Final = frozenset({"int", "uint", "double", "size", "-", "*", "/", "%"})
_INFIX: Final = frozenset({*COMPARE, "in", "+", "-", "*", "/", "%", "&&", "||"})


def kind_of(tree: Syntax) -> str:
    """Returns what kind of value it has: truth, number, text, list or null; empty if that is not known."""
    match tree:
        case Constant():
            return kind_of_value(tree.value)
        case Items():
            return "list"
        case MemberPath() if len(tree.parts) == 2 and tree.parts[0] in MEMBERS:
            kind = MEMBERS[tree.parts[0]].get(tree.parts[1], "")
            return "" if "or" in kind else kind
        case Call():
            return _kind_of_call(tree)
        case _:
            return ""


def kind_of_value(value: object) -> str:
    match value:
        case bool():
            return "truth"
        case int() | float():
            return "number"
        case str():
            return "text"
        case None:
            return "null"
        case _:
            return ""


def _kind_of_call(call: Call) -> str:
    if call.name in _TRUTHS:
        return "truth"
    if call.name in {"filter", "map"}:
        return "list"
    if call.name == "string":
        return "text"
    return "number" if call.name in _NUMBERS or call.name.startswith("get") else ""


def words_of(tree: Syntax) -> str:
    """Writes a part of an expression as rules do."""
    match tree:
        case Constant():
            value = "null" if tree.value is None else str(tree.value).lower()
            return repr(tree.value) if isinstance(tree.value, str) else value
        case Items():
            return f"[{', '.join(map(words_of, tree.items))}]"
        case Call():
            return _words_of_call(tree.name, list(map(words_of, tree.arguments)))
        case MemberPath():
            return str(tree)
        case Unknown():
            return tree.text or "…"


def _words_of_call(name: str, arguments: list[str]) -> str:
    if name in _INFIX and len(arguments) == 2:
        return f" {name} ".join(arguments)
    return f"!{arguments[0]}" if name == "!" else f"{name}({', '.join(arguments)})"


def compared_constants(sign: str, left: Syntax, right: Syntax) -> bool | None:
    """Compares two sides, as far as that is possible without an event; None if it is not, or if it is an error."""
    kinds = kind_of(left), kind_of(right)
    if sign in {"==", "!="} and all(kinds) and kinds[0] != kinds[1]:
        return sign == "!="
    if not isinstance(left, Constant) or not isinstance(right, Constant):
        return None
    is_ordered = kinds in {("number", "number"), ("text", "text")}
    return COMPARE[sign](left.value, right.value) if is_ordered or sign in {"==", "!="} else None
