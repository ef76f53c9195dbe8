"""Starts processes quickly: they are forked from one that has only imported everything.

It saves the second of CPU time that the imports of each process would take.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from triggers.cli.program import COMMANDS

WARM: Final = multiprocessing.get_context("forkserver")
"""The context of such processes."""

_RARE: Final = {"demo", "dev", "migrate"}
"""Programs that import large libraries and that tests rarely run in this way."""
_CELERY: Final = (
    "celery.__main__",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.apps.worker",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "triggers.celery",
    "triggers.celery.dispatcher",
)
"""What Celery workers import late. The apps of the tests are not among it, because they read the environment."""

WARM.set_forkserver_preload([
    "tests.support.worker_process",
    "triggers.worker.app",
    "triggers.kafka.reachability",
    *dict.fromkeys(entry.module for name, entry in COMMANDS.items() if name not in _RARE),
    *_CELERY,
    "tests.support.frozen_heap",
])  # fmt: skip


def become_module(arguments: Sequence[str], variables: Mapping[str, str], folder: Path, log: Path) -> None:
    """Turns a forked process into `python -m ARGUMENTS` with these variables, in this folder, in a session of its own.

    Its output is appended to the log at once.
    """
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.path[:0] = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv[:] = arguments
    if variables.get("PYTHONWARNINGS") == "ignore":
        warnings.simplefilter("ignore")
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1, closefd=False) for stream in (1, 2))
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # otherwise `multiprocessing` leaves them out
