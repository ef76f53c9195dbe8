"""The command line. Each command is a module that is imported when the command runs, so that `--help` is quick."""

from __future__ import annotations

from triggers.cli.program import main

__all__ = ["main"]
