"""The Celery workers of a development stack: started if the app can run commands, and again when its code changes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from triggers.celery import app_check
from triggers.dev.child_process import Relay
from triggers.dev.code_watch import CodeWatch
from triggers.dev.stack import Stack, celery_service, environment
from triggers.redaction import without_secrets
from triggers.settings import Settings

_SHOWN_FILES = 3
_PATIENCE_S = 60.0


class CeleryWorkers:
    """Keeps Celery workers of some apps in a stack."""

    def __init__(
        self,
        stack: Stack,
        relay: Relay,
        settings: Settings,
        apps: Sequence[str],
        *,
        count: int,
        env: Mapping[str, str],
        folder: Path,
    ) -> None:
        """Each app gets `count` workers. `folder` is where the apps are imported, and whose code is watched."""
        self._stack, self._relay, self._settings = stack, relay, settings
        self._env, self._folder = env, folder
        self._names = {app: [f"{_title(app, apps)}-{number}" for number in range(count)] for app in apps if count}
        self._watch = CodeWatch(folder)

    def start(self) -> None:
        """Start the workers of each app, or report in one line why they cannot run; they start when it is corrected."""
        for app, names in self._names.items():
            if fault := find_fault(app, {**environment(self._settings), **self._env}, self._folder):
                self._stack.replace(names, [])
                self._relay.write("celery", f"{fault}; waiting for a change in {self._folder}")
                continue
            services = [celery_service(self._settings, app, name, self._env, self._folder) for name in names]
            self._stack.replace(names, services)

    def reload(self) -> None:
        """Start the workers again if the code has changed. Blocks until their tasks have ended.

        They end before the new code is checked: otherwise, the old ones would fail commands for tasks that are new.
        """
        if not self._names or not (changed := self._watch.changed()):
            return
        more = f" and {len(changed) - _SHOWN_FILES} more" if len(changed) > _SHOWN_FILES else ""
        self._stack.replace([name for names in self._names.values() for name in names], [])
        self._relay.write("celery", f"{', '.join(changed[:_SHOWN_FILES])}{more} changed; starting again")
        self.start()


def _title(app: str, apps: Sequence[str]) -> str:
    """Returns the name of an app's processes. A single app needs none of its own."""
    return "celery" if len(apps) == 1 else app.replace(":", ".")


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
