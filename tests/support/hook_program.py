"""Runs hooks that record their calls: `python -m tests.support.hook_program`, for tests that kill it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from triggers.hooks.runner import HookRunner
from triggers.manager import TriggerManager
from triggers.settings import Settings
from triggers.storages.stream import StreamStorage
from triggers.telemetry.logs import configure_logging
from triggers.telemetry.tracing import export_spans


class NotingHooks(TriggerManager):
    """Writes down every call. The triggers `bad` and `flaky` make it raise, and `echo` makes it fire `back`."""

    def __init__(self, key: str, storage: StreamStorage) -> None:
        super().__init__(storage)
        self._key = key
        self._notes = Path(os.environ["TEST_NOTES"])

    @override
    def after_fire(self, trigger_name: str, scheduled: Sequence[str]) -> None:
        if trigger_name == "bad" or (trigger_name == "flaky" and "flaky" not in self._notes.read_text()):
            self._note("raised", trigger_name)
            raise RuntimeError(f"the hook of {trigger_name} is broken")
        if trigger_name.startswith("echo"):
            self.fire("back", {"to": trigger_name})
        if scheduled:
            statuses = {i.name: i.status for i in self.storage.read().instances}
            assert all(statuses[name] != "unstarted" for name in scheduled), statuses
        self._note("fire", trigger_name, *scheduled)

    @override
    def after_replay(self, original: str, replay: str) -> None:
        self._note("replay", original, replay)

    @override
    def after_skip(self, instance: str, cascade: bool) -> None:
        self._note("skip", instance, str(cascade))

    def _note(self, *words: str) -> None:
        with self._notes.open("a") as notes:
            print(self.storage.uid, self._key or "-", *words, file=notes)


def main() -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    settings = Settings.from_env()
    configure_logging(settings)
    export_spans("triggers-hooks")
    HookRunner(settings, NotingHooks).run(stopping)


if __name__ == "__main__":
    main()
    sys.exit(0)
