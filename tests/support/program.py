"""Runs the program `triggers` in a separate process, as a user does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.connection import connection_variables
from tests.support.topic_reader import PATIENCE_S, wait_until
from tests.support.warm_start import WARM, become_module

from triggers.cli import main
from triggers.settings import Settings


def environment(settings: Settings | None = None, **more: str) -> dict[str, str]:
    """Returns this process's environment without its `TRIGGERS_…`, with the connection and timeouts of `settings`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIGGERS_")}
    return clean | (_of(settings) if settings else {}) | more


def _of(settings: Settings) -> dict[str, str]:
    return {
        **connection_variables(settings),
        "TRIGGERS_READ_TIMEOUT_S": str(settings.read_timeout_s),
        "TRIGGERS_PUBLISH_TIMEOUT_S": str(settings.publish_timeout_s),
    }


class Run:
    """A run of the program to its end, in a process that is forked from one that has imported it."""

    def __init__(self, settings: Settings | None, *arguments: str, standard_input: str = "", **variables: str) -> None:
        """Starts it, with additional variables in its environment."""
        self._arguments = arguments
        self._folder = tempfile.TemporaryDirectory()
        self._streams = [Path(self._folder.name, name) for name in ("stdin", "stdout", "stderr")]
        self._streams[0].write_text(standard_input)
        self._process = WARM.Process(target=_live, args=(arguments, environment(settings, **variables), self._streams))
        self._process.start()

    def wait(self, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Waits for its end, and returns what it has printed. May be called once."""
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            raise subprocess.TimeoutExpired(self._arguments, timeout_s)
        with self._folder:
            _, stdout, stderr = (stream.read_text() for stream in self._streams)
        return subprocess.CompletedProcess(self._arguments, self._process.exitcode, stdout, stderr)


def run(
    settings: Settings, *arguments: str, timeout_s: float = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end, with additional variables in its environment."""
    return Run(settings, *arguments, **variables).wait(timeout_s)


def _live(arguments: Sequence[str], variables: Mapping[str, str], streams: Sequence[Path]) -> None:
    """Becomes the program. It ends with its exit code."""
    os.environ.clear()
    os.environ.update(variables)
    for descriptor, stream in enumerate(streams):
        opened = os.open(stream, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, descriptor)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has replaced it
    main(arguments, prog_name="triggers")


def run_json(settings: Settings, *arguments: str) -> Any:  # noqa: ANN401  # JSON
    """Runs the program with --json and returns what it prints. Fails unless it ends with 0."""
    done = run(settings, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Program:
    """A run that the test watches and ends. `with` starts it and at the end kills it, but not its children.

    It is forked like `Run`. A subclass starts a process in another way.
    """

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        self._env = dict(env) if env is not None else environment()
        self._log = folder / "program.log"
        self._process: BaseProcess | None = None

    def __enter__(self) -> Self:
        self._log.write_bytes(b"")
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send(signal.SIGKILL)
        self._wait(PATIENCE_S)

    @property
    def text(self) -> str:
        """What the program has printed so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, text: str, timeout_s: float = 120) -> None:
        """Waits until the program has printed the text."""
        wait_until(lambda: text in self.text or self._ended(), f"{text!r} is printed", timeout_s)
        assert text in self.text, self.text[-3000:]

    def interrupt(self, timeout_s: float = 90) -> int:
        """Sends SIGINT, as Ctrl-C does, waits for the end and returns the exit code."""
        return self.end(signal.SIGINT, timeout_s)

    def end(self, number: int, timeout_s: float = 90) -> int:
        """Sends a signal, waits for the end and returns the exit code."""
        self._send(number)
        code = self._wait(timeout_s)
        assert code is not None, f"does not end after signal {number}: {self.text[-3000:]}"
        return code

    def _ended(self) -> bool:
        return self._wait(0) is not None

    def _start(self) -> None:
        arguments = (("triggers.cli", *self._arguments), self._env, Path.cwd(), self._log)
        self._process = WARM.Process(target=_live_in_the_background, args=arguments, daemon=True)
        self._process.start()

    def _send(self, number: int) -> None:
        """Sends a signal, unless the program has ended."""
        assert self._process is not None
        assert self._process.pid is not None
        if not self._ended():
            os.kill(self._process.pid, number)

    def _wait(self, timeout_s: float) -> int | None:
        """Returns the exit code, or None if the program does not end in time."""
        assert self._process is not None
        self._process.join(timeout_s)
        return self._process.exitcode


def _live_in_the_background(arguments: Sequence[str], variables: Mapping[str, str], folder: Path, log: Path) -> None:
    """Becomes the program as a script starts background jobs: with SIGINT ignored. Ctrl-C must end it nevertheless."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    become_module(arguments, variables, folder, log)
