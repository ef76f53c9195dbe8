"""Writes the modules of docs/cookbook.md to a folder from which they can be imported."""

from __future__ import annotations

import re
from pathlib import Path

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"

CELERY = """
from celery import Celery
from my_app import managers, sessions
from triggers.celery import install

app = Celery("my_app")
install(app)
"""


def write_cookbook(folder: Path, storage: str) -> None:
    """Writes the package `my_app`, which uses that storage, and a Celery app beside it."""
    package = folder / "my_app"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "celery.py").write_text(CELERY)
    for name, code in re.findall(r"```python\n# my_app/(\w+\.py)\n(.*?)```", COOKBOOK.read_text(), re.DOTALL):
        (package / name).write_text(
            code.replace('TRIGGER_STORAGE_TYPE = "memory"', f'TRIGGER_STORAGE_TYPE = "{storage}"')
        )
