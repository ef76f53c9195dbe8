"""The Celery workers of a development stack: started if the app can run commands, and again when its code changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from triggers.dev.app_check import find_fault
from triggers.dev.child_process import Relay
from triggers.dev.code_watch import CodeWatch
from triggers.dev.stack import Stack, celery_service, environment
from triggers.settings import Settings

_SHOWN_FILES = 3


class CeleryWorkers:
    """Keeps Celery workers of one app in a stack."""

    def __init__(
        self,
        stack: Stack,
        relay: Relay,
        settings: Settings,
        app: str,
        *,
        count: int,
        env: Mapping[str, str],
        folder: Path,
    ) -> None:
        """`folder` is where the app is imported, and whose code is watched."""
        self._stack, self._relay, self._settings = stack, relay, settings
        self._app, self._env, self._folder = app, env, folder
        self._names = [f"celery-{number}" for number in range(count)]
        self._watch = CodeWatch(folder)

    def start(self) -> None:
        """Start the workers, or say in one line why they cannot run commands; then they start when that is mended."""
        if not self._names:
            return
        if fault := find_fault(self._app, {**environment(self._settings), **self._env}, self._folder):
            self._stack.replace(self._names, [])
            self._relay.write("celery", f"{fault}; waiting for a change in {self._folder}")
            return
        services = [
            celery_service(self._settings, self._app, number, self._env, self._folder)
            for number in range(len(self._names))
        ]
        self._stack.replace(self._names, services)

    def reload(self) -> None:
        """Start the workers again if the code has changed. Blocks until their tasks have ended.

        They end before the new code is checked: otherwise, the old ones would fail commands for tasks that are new.
        """
        if not self._names or not (changed := self._watch.changed()):
            return
        more = f" and {len(changed) - _SHOWN_FILES} more" if len(changed) > _SHOWN_FILES else ""
        self._stack.replace(self._names, [])
        self._relay.write("celery", f"{', '.join(changed[:_SHOWN_FILES])}{more} changed; starting again")
        self.start()
