"""Runs `triggers dev` and `triggers demo`, which start a whole stack of processes, as a user's shell does."""

from __future__ import annotations

import subprocess
import sys

from tests.support.program import Program
from typing_extensions import override

_IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Starts a command as a script starts background jobs: with SIGINT ignored. Ctrl-C must end it nevertheless."""


class StackProgram(Program):
    """A program that is not forked, so that the kernel knows its variables, and it is found by its mark."""

    _popen: subprocess.Popen[bytes]

    @override
    def _start(self) -> None:
        command = [*_IN_THE_BACKGROUND, sys.executable, "-m", "triggers.cli", *self._arguments]
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(command, env=self._env, stdout=log, stderr=log)

    @override
    def _send(self, number: int) -> None:
        self._popen.send_signal(number)

    @override
    def _wait(self, timeout_s: float) -> int | None:
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
