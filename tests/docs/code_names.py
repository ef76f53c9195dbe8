"""The classes, functions and methods of the package and of its tests, by the names that the docs use for them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "streams" / "triggers"
TESTS = ROOT / "tests"


class ClassDefinition(NamedTuple):
    """A class as its module defines it."""

    path: Path
    bases: frozenset[str]
    """The last part of each base's name."""
    members: frozenset[str]
    """Names of the public methods, and of all attributes that the class or its methods assign or annotate."""
    signatures: frozenset[tuple[str, ...]]
    """Name and parameters of each public method, without those of properties."""

    @property
    def is_port(self) -> bool:
        return not self.bases.isdisjoint({"Protocol", "ABC"})


@cache
def classes(folder: Path) -> dict[str, list[ClassDefinition]]:
    """Returns the classes in all modules below the folder, by name."""
    by_name: dict[str, list[ClassDefinition]] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                bases = frozenset(ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases)
                by_name.setdefault(node.name, []).append(
                    ClassDefinition(path, bases, frozenset(_members(node)), frozenset(_signatures(node)))
                )
    return by_name


@cache
def module_names(folder: Path) -> frozenset[str]:
    """Returns the functions that modules below the folder define, and the names that they assign, at their top."""
    return frozenset(
        name for path in folder.rglob("*.py") for node in ast.parse(path.read_text()).body for name in _names_of(node)
    )


def definitions(name: str) -> list[ClassDefinition]:
    """Returns the package's classes of this name, or those of the tests if the package has none."""
    return classes(PACKAGE).get(name) or classes(TESTS).get(name, [])


def ancestors(name: str) -> set[str]:
    """Returns the names of all bases of a class, except of those that other libraries define."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for definition in definitions(waiting.pop()):
            waiting += definition.bases - seen
            seen |= definition.bases
    return seen


def members(name: str) -> set[str]:
    """Returns the members of a class and of its bases, except of bases that other libraries define."""
    every = [name, *ancestors(name)]
    own = {member for each in every for definition in definitions(each) for member in definition.members}
    return own.union(*(dir(getattr(builtins, each, None)) for each in every if hasattr(builtins, each)))


def implementations(port: str, folder: Path) -> set[str]:
    """Returns the classes below the folder whose methods include those of a protocol, with the same parameters.

    A protocol without methods has none, because any class with attributes of these names would implement it.
    """
    [needed] = [definition.signatures for definition in classes(PACKAGE)[port]]
    fitting = (name for name, each in classes(folder).items() if any(needed <= one.signatures for one in each))
    return {name for name in fitting if needed and name != port}


def is_defined(name: str) -> bool:
    """Returns whether the package defines the class, function or alias, or the method in the form `Class.method`."""
    owner, _, member = name.partition(".")
    if member:
        return owner in classes(PACKAGE) and member in members(owner)
    return name in classes(PACKAGE) or name in module_names(PACKAGE)


def _members(node: ast.ClassDef) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_"):
            yield each.name
        elif isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
            yield each.attr
    for each in node.body:
        yield from _assigned(each)


def _signatures(node: ast.ClassDef) -> Iterator[tuple[str, ...]]:
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_"):
            parameters = [*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs]
            if not any(ast.unparse(decorator) == "property" for decorator in each.decorator_list):
                yield (each.name, *(parameter.arg for parameter in parameters))


def _names_of(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    yield from _assigned(node)


def _assigned(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
