"""Loads the application's Celery app by the same names that Celery's own command line accepts."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FunctionType
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
    """Import the app; modules of the current folder are found, too. A function without arguments is called.

    Raises CallError, which names what is wrong: the module, what its import raises, or what it has under that name.
    """
    require_extras("a Celery app", "celery")
    from celery import Celery
    from celery.app.utils import find_app

    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    if not _MODULE.fullmatch(name):
        raise CallError(f"--app {name!r} must be a module such as shop.celery, or module:name, but no path")
    try:
        found = find_app(name)
        app = found() if isinstance(found, FunctionType) else found
    except ModuleNotFoundError as error:
        module, _, attribute = name.partition(":")
        why = f"{module} has no {attribute!r}" if attribute and error.name == name else str(error)
        raise CallError(f"--app {name}: {why}") from error
    except (Exception, SystemExit) as error:
        raise CallError(f"--app {name}: {type(error).__name__}: {without_secrets(str(error))}") from error
    if not isinstance(app, Celery):
        raise CallError(f"--app {name}: it is a {type(app).__name__}, not a Celery app; name one as module:name")
    return app


_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")
