"""Loads the application's Celery app by the same names that Celery's own command line accepts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triggers.errors import CallError
from triggers.extras import require_extras
from triggers.redaction import without_secrets

if TYPE_CHECKING:
    from celery import Celery

app_option = click.option(
    "-A", "--app", required=True, envvar="TRIGGERS_APP", show_envvar=True, help="The Celery app: module or module:name."
)


def load_app(name: str) -> Celery:
    """Import the app; modules of the current folder are found, too. Raises CallError."""
    require_extras("a Celery app", "celery")
    from celery.app.utils import find_app

    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        app: Celery = find_app(name)
    except (ImportError, AttributeError) as error:
        raise CallError(f"--app {name}: {without_secrets(str(error))}") from error
    return app
