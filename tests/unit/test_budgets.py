"""Limits for sizes and names that keep the code readable (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("streams", "tests", "examples", "benchmarks")
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PUBLIC_FOR_EVER = {"streams/triggers/types.py", "streams/triggers/storages/base.py"}
"""Modules that applications import, so that their names cannot change."""
MAX_LINES_OF_MODULE = 300
MAX_LINES_OF_FUNCTION = 40
SAY_NOTHING = {"base", "common", "helper", "helpers", "misc", "shared", "tools", "types", "util", "utils"}


def test_a_module_has_at_most_300_lines() -> None:
    lines = {str(module.relative_to(ROOT)): len(module.read_text().splitlines()) for module in MODULES}

    assert {name: count for name, count in lines.items() if count > MAX_LINES_OF_MODULE} == {}


def test_a_function_has_at_most_40_lines() -> None:
    lines = {name: count for module in MODULES for name, count in _functions(module)}

    assert {name: count for name, count in lines.items() if count > MAX_LINES_OF_FUNCTION} == {}


def test_names_of_modules_and_folders_say_what_is_in_them() -> None:
    paths = [module.relative_to(ROOT) for module in MODULES]
    chosen = [path for path in paths if str(path) not in PUBLIC_FOR_EVER]
    names = {part.lstrip("_") for path in chosen for part in path.with_suffix("").parts}

    assert names & SAY_NOTHING == set()


def _functions(module: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{module.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1
