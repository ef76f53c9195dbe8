"""Starts processes quickly: they are forked from one that has only imported everything.

It saves the second of CPU time that the imports of each process would take.
"""

from __future__ import annotations

import multiprocessing
from typing import Final

from triggers.cli.program import COMMANDS

WARM: Final = multiprocessing.get_context("forkserver")
"""The context of such processes."""

_SERVICES: Final = {"api", "console", "demo", "dev", "dispatcher", "hooks", "migrate"}
"""They import large libraries, and tests rarely run them."""

WARM.set_forkserver_preload([
    "tests.support.worker_process",
    "triggers.worker.app",
    "triggers.kafka.reachability",
    *dict.fromkeys(entry.module for name, entry in COMMANDS.items() if name not in _SERVICES),
])  # fmt: skip
