"""Fires many triggers into one session: python -m tests.support.session_hammer MODULE UID WRITER COUNT.

The module must define `make_storage(uid)`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from triggers import BaseStorageBackend, TriggerManager

PAGES = {"t_page": {"after": ["never"], "andEvery": "page", "run": "app.Page"}}


def fire_many(module: str, uid: str, writer: str, count: int) -> None:
    """Fires `page` `count` times, each time through a new storage, as web requests do."""
    make_storage = import_module(module).make_storage
    for number in range(count):
        TriggerManager(make_storage(uid)).fire("page", {"of": f"{writer}{number}"})


def assert_no_update_is_lost(
    module: str, storage: BaseStorageBackend, count: int, env: Mapping[str, str], folder: Path
) -> None:
    """Lets three processes fire into one session. Fails unless the session has every one of their triggers."""
    TriggerManager(storage).update_configuration(PAGES)
    command = [sys.executable, "-m", "tests.support.session_hammer", module, storage.uid]
    writers = [subprocess.Popen([*command, name, str(count)], env=env, cwd=folder) for name in "abc"]
    try:
        assert [process.wait(120) for process in writers] == [0, 0, 0]
    finally:
        for process in writers:
            process.kill()
            process.wait()

    storage.refresh()
    written = {instance.kwargs["page"]["of"] for instance in storage}
    assert written == {f"{name}{number}" for name in "abc" for number in range(count)}


if __name__ == "__main__":
    fire_many(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
