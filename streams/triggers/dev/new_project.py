"""Creates a project: a copy of the order example under another name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from triggers.errors import CallError

NAME: Final = "orders"
"""Name of the example's project, which a new one replaces."""
FILES: Final = (
    *("README.md", "rules.json", "app.py", "place_order.py", "test_rules.py", "producer.mjs"),
    *("pyproject.toml", "docker-compose.yml", "Dockerfile"),
)
_RENAMED: Final = {
    "pyproject.toml": 'name = "{}"',
    "app.py": 'Celery("{}"',
    "Dockerfile": "/{}",
}
"""Where files name the project."""


def create_project(example: Path, folder: Path) -> list[Path]:
    """Copies the example into a folder that is new or has none of its files, and returns the files.

    Raises CallError if a file exists already; then nothing is written.
    """
    name = project_name(folder)
    files = {folder / file: _renamed(file, (example / file).read_text(), name) for file in FILES}
    if existing := [path for path in files if path.exists()]:
        raise CallError(f"{existing[0]} exists already; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text)
    return list(files)


def project_name(folder: Path) -> str:
    """Returns the folder's name as a name of a Python project."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return name or NAME


def _renamed(file: str, text: str, name: str) -> str:
    pattern = _RENAMED.get(file)
    return text if pattern is None else text.replace(pattern.format(NAME), pattern.format(name))
