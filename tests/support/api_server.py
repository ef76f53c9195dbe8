"""The HTTP API as a process of its own, on a free port, over an installation of the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.program import Program, environment

from triggers.settings import Settings


@contextmanager
def api_server(settings: Settings, folder: Path, *options: str, **variables: str) -> Iterator[tuple[str, Program]]:
    """Starts `triggers api serve`, yields its URL and the program, and ends it as Ctrl-C does."""
    command = ("api", "serve", "--port", "0", *options)
    with Program(folder, *command, env=environment(settings, **variables)) as program:
        program.wait_for("API at ")
        yield re.findall(r"http://\S+:\d+", program.text)[0], program
        assert program.interrupt() == 0, program.text[-3000:]
