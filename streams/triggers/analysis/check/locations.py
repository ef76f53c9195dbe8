"""Locates tasks, directives and trigger names in a file of rules."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator

from msgspec import Struct

JsonPath = tuple[str, ...]
"""(task), (task, directive), or (task, directive, text in it): a trigger of its list or of a leaf, an expression."""

_decode = json.JSONDecoder().raw_decode
_space = re.compile(r"[ \t\n\r]*")


class Location(Struct, frozen=True, order=True):
    """A part of the text. Lines and columns count from 1, columns are characters, and the end is exclusive."""

    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


START = Location()
"""The location of findings about the file as a whole."""


class Locations:
    """The locations of everything in a text, by path. A member is located at its key."""

    def __init__(self, text: str) -> None:
        """`text` must be JSON that `json.loads` accepts."""
        self.repeated: list[tuple[JsonPath, Location]] = []
        """The paths that occur again, with the location of the repetition."""
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._locations: dict[JsonPath, Location] = {}
        self._scan(text)

    def find(self, *path: str | None) -> Location:
        """Returns the location of the path, or of the nearest enclosing thing that has one, at last the file."""
        known = tuple(part for part in path if part is not None)
        while known and known not in self._locations:
            known = known[:-1]
        return self._locations.get(known, START)

    def _scan(self, text: str) -> None:
        tasks: set[str] = set()
        for task, start, end, value in _members(text, _skip(text, 0)):
            self._add_location((task,), start, end, tasks)
            directives: set[str] = set()
            for directive, key_start, key_end, names in _members(text, value):
                self._add_location((task, directive), key_start, key_end, directives)
                triggers: set[str] = set()
                for trigger, item_start, item_end in _names(text, names):
                    self._add_location((task, directive, trigger), item_start, item_end, triggers)
                for inner, inner_start, inner_end in _texts(text, names):
                    self._add((task, directive, inner), inner_start, inner_end)

    def _add_location(self, path: JsonPath, start: int, end: int, seen: set[str]) -> None:
        location = self._locations[path] = Location(*self._position(start), *self._position(end))
        if path[-1] in seen:
            self.repeated.append((path, location))
        seen.add(path[-1])

    def _add(self, path: JsonPath, start: int, end: int) -> None:
        """Locates what is deeper than a list. Its first occurrence counts, and repetitions are no mistake."""
        if path not in self._locations:
            self._locations[path] = Location(*self._position(start), *self._position(end))

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1


def _members(text: str, at: int) -> Iterator[tuple[str, int, int, int]]:
    """Yields each key of the object at `at`, with its start, its end and the start of its value.

    Yields nothing if no object starts at `at`.
    """
    if not text.startswith("{", at):
        return
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, end = _decode(text, at)
        value = _skip(text, _skip(text, end) + 1)
        yield key, at, end, value
        at = _next(text, value)


def _names(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yields every string of the list at `at`, with its start and end."""
    if not text.startswith("[", at):
        return
    at = _skip(text, at + 1)
    while text[at] != "]":
        item, end = _decode(text, at)
        if isinstance(item, str):
            yield item, at, end
        at = _next(text, at)


def _texts(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yields every text below `at`, at any depth, with its start and end; keys of objects are left out."""
    if text.startswith('"', at):
        item, end = _decode(text, at)
        yield item, at, end
    elif text.startswith("{", at):
        for _, _, _, value in _members(text, at):
            yield from _texts(text, value)
    elif text.startswith("[", at):
        at = _skip(text, at + 1)
        while text[at] != "]":
            yield from _texts(text, at)
            at = _next(text, at)


def _next(text: str, value: int) -> int:
    """Returns the start of what follows a value and its comma."""
    at = _skip(text, _decode(text, value)[1])
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    match = _space.match(text, at)
    return match.end() if match else at
