"""The command line. Every group is a module; none is imported before its command runs, so `--help` is quick."""

from __future__ import annotations

from triggers.cli.program import main

__all__ = ["main"]
