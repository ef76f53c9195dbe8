"""How far a command that folds events has come: a bar on a terminal, elsewhere a line at intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY = 100_000
"""Number of offsets after which a line is printed, if standard error is no terminal."""

ShowProgress = Callable[[int, int], None]
"""Shows how far a command has come: takes the number of offsets that are done, and the number of all offsets."""


@contextmanager
def recovery_progress(action: str) -> Iterator[ShowProgress]:
    """Yields a function that shows the progress on standard error."""
    stderr = Console(stderr=True)
    if not stderr.is_terminal:
        yield _Lines(action).show
        return
    columns = (TextColumn(action), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        bar = progress.add_task(action, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


class _Lines:
    """Prints a line after each hundred thousand offsets."""

    def __init__(self, action: str) -> None:
        self._action = action
        self._shown = 0

    def show(self, done: int, total: int) -> None:
        if done // _LINE_EVERY > self._shown:
            self._shown = done // _LINE_EVERY
            click.echo(f"{self._action}: {done} of {total} offsets", err=True)
