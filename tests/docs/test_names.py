"""Paths and names of the code that pages mention exist.

A page that tells of code which is gone writes "formerly" before its name, as in: formerly `processing/pump.py`.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.code_names import PACKAGE, ROOT, is_defined

from triggers.agent.turns.decision_records import UNKNOWN_QUEUE
from triggers.core.lifecycle import CASCADE_TOO_DEEP, TIMED_OUT
from triggers.registry import storage_backends, task_runners, trigger_managers
from triggers.topology import Topology

FOLDERS = ("docs", "deploy", "schemas", "benchmarks", "examples")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for each in FOLDERS for page in (ROOT / each).rglob("*.md")),
]
NEW_PROJECT = ROOT / "examples" / "order"
"""What `triggers init` copies, and docs/getting-started.md is about."""
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()

NOT_IMPORTED = {
    Topology("triggers").events,
    storage_backends.group,
    trigger_managers.group,
    task_runners.group,
    CASCADE_TOO_DEEP,
    TIMED_OUT,
    UNKNOWN_QUEUE,
    *(f"triggers.{attribute}" for attribute in ("session", "instance", "attempt", "outcome")),
}
"""Topics, groups of entry points, types of failures, and attributes of spans: names that look like those of modules."""

PATH = re.compile(
    r"(?:[\w.-]+/)+[\w.-]+\.(?:py|md|toml|ya?ml|jsonl?|avsc)|[\w-]+\.py|(?:tests|benchmarks|streams)(?:/[\w.-]+)+/?"
)


def mentions(page: Path) -> Iterator[str]:
    """Yields what the page has in backticks on one line, except after "formerly"."""
    for formerly, text in re.findall(r"(formerly )?`([^`\n]+)`", page.read_text()):
        if not formerly:
            yield text


def examples(page: Path) -> Iterator[ast.Module]:
    """Yields the Python examples of the page."""
    yield from map(ast.parse, re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))


def resolve(name: str) -> object:
    """Returns what a dotted name means: a module, or an attribute in one. Raises AttributeError."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AttributeError(name)


def exists(name: str) -> bool:
    try:
        resolve(name)
    except AttributeError:
        return False
    return True


def test_a_path_on_a_page_exists() -> None:
    paths = [(page, path) for page in PAGES for path in mentions(page) if PATH.fullmatch(path)]

    missing = [
        f"{page.relative_to(ROOT)}: {path}"
        for page, path in paths
        if not any((folder / path).exists() for folder in (ROOT, PACKAGE, PACKAGE.parent, page.parent, NEW_PROJECT))
    ]

    assert len(paths) > 50
    assert missing == []


def test_a_dotted_name_on_a_page_can_be_imported() -> None:
    dotted = {name for page in PAGES for name in mentions(page) if re.fullmatch(r"triggers(?:\.\w+)+", name)}

    assert dotted - NOT_IMPORTED
    assert sorted(name for name in dotted - NOT_IMPORTED if not exists(name)) == []


def test_an_import_of_an_example_can_be_made() -> None:
    imports = [
        f"{node.module}.{alias.name}"
        for page in PAGES
        for tree in examples(page)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "triggers"
        for alias in node.names
    ]

    assert imports
    assert sorted(name for name in imports if not exists(name)) == []


def test_a_word_of_the_glossary_has_its_name_in_the_code() -> None:
    table = GLOSSARY.split("\n## Words in the code\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([^|`]+) \| (`.+`) \|$", table, re.MULTILINE)
    explained = {
        word for words in re.findall(r"^\| \*\*(.+?)\*\* \|", GLOSSARY, re.MULTILINE) for word in words.split(", ")
    }
    explained |= set(re.findall(r"\*\*(\w+)\*\*", GLOSSARY))

    assert len(rows) > 20
    assert [word for words, _ in rows for word in words.split(", ") if word not in explained] == []
    assert [name for _, names in rows for name in re.findall(r"`([^`]+)`", names) if not is_defined(name)] == []


def test_a_class_that_the_glossary_mentions_exists() -> None:
    classes = set(re.findall(r"`([A-Z][a-z]\w+)`", GLOSSARY))

    assert classes
    assert sorted(name for name in classes if not is_defined(name)) == []


def test_the_glossary_explains_a_word_once() -> None:
    words = [
        word for words in re.findall(r"^\| \*\*(.+?)\*\* \|", GLOSSARY, re.MULTILINE) for word in words.split(", ")
    ]

    assert sorted({word for word in words if words.count(word) > 1}) == []
