"""Finds out in a separate process why a Celery app cannot run commands, because an import has side effects."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from triggers.celery import app_check
from triggers.redaction import without_secrets

_PATIENCE_S = 60.0


def find_fault(app: str, env: Mapping[str, str], folder: Path) -> str:
    """Returns why workers of the app could not start or would get no commands, without passwords, or empty text."""
    command, whole = [sys.executable, "-m", app_check.__name__, app], {**os.environ, **env}
    try:
        done = subprocess.run(
            command, cwd=folder, env=whole, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:  # a slow import is not a fault; the workers will show
        return ""
    if done.returncode == 0:
        return ""
    output = done.stdout.strip() or done.stderr.strip() or f"-A {app}: the import of the app has ended the process"
    return without_secrets(output.splitlines()[-1])
