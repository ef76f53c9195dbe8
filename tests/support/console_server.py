"""The console as a process of its own, on a free port, over an installation of the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.program import Program, environment

from triggers.settings import Settings


@contextmanager
def console_server(settings: Settings, folder: Path, *options: str, **variables: str) -> Iterator[str]:
    """Starts `triggers console`, yields its URL, and ends it as Ctrl-C does."""
    command = ("console", "--port", "0", *options)
    with Program(folder, *command, env=environment(settings, **variables)) as program:
        program.wait_for("Console at ")
        yield re.findall(r"http://\S+:\d+", program.text)[0]
        assert program.interrupt() == 0, program.text[-3000:]
