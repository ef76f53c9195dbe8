"""Reports why a Celery app cannot run commands: python -m triggers.celery.app_check shop.app"""

from __future__ import annotations

import sys
from pathlib import Path

from celery.app.utils import find_app

from triggers.celery.installation import has_command_step


def describe_fault(name: str) -> str:
    """Returns why the app of that name, as Celery's `-A` accepts it, cannot run commands, or empty text if it can."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        app = find_app(name)
    except Exception as error:  # noqa: BLE001  # the application's modules may raise anything
        return f"-A {name}: {type(error).__name__}: {error}".splitlines()[0]
    if not has_command_step(app):
        return f"-A {name}: the app gets no commands: call triggers.celery.install(app) where it is made"
    return ""


if __name__ == "__main__":
    if fault := describe_fault(sys.argv[1]):
        sys.stdout.write(f"{fault}\n")
        sys.exit(1)
