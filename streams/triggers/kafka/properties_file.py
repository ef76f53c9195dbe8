r"""Reads files in the syntax of Java's properties, as Kafka's own tools do.

A line is `name=value`, `name: value` or `name value`. Lines that begin with `#` or `!` are comments. A backslash at the
end of a line continues it, and `\t`, `\n`, `\r`, `\f`, `\uXXXX` and a backslash before any other character are escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_NAME: Final = re.compile(r"((?:\\.|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class Property(NamedTuple):
    """A property with the number of its line, counting from 1."""

    line: int
    name: str
    value: str


def parse_properties(text: str) -> Iterator[Property]:
    """Yields the properties in the order of the text."""
    for number, line in _logical_lines(text):
        if (name := _NAME.match(line)) is not None:
            yield Property(number, _unescape(name[1]), _unescape(line[name.end() :]))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields the lines that are neither empty nor comments, each joined with its continuations."""
    joined, first = "", 0
    for number, raw in enumerate(_LINE_END.split(text), start=1):
        line = raw.lstrip()
        if not first and (not line or line[0] in "#!"):
            continue
        first = first or number
        if _is_continued(line):
            joined += line[:-1]
            continue
        yield first, joined + line
        joined, first = "", 0
    if first:
        yield first, joined


def _is_continued(line: str) -> bool:
    """Returns whether the line ends with an odd number of backslashes. Two of them are one escaped backslash."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: _character(found[1]), text)


def _character(escape: str) -> str:
    return chr(int(escape[1:], 16)) if len(escape) > 1 else _ESCAPES.get(escape, escape)
