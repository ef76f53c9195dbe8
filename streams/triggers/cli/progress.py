"""Progress of commands that read for a long time: a counter on standard error, if that is a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

T = TypeVar("T")

PRINT_EVERY: Final = 500
"""Number of items after which a bar is drawn again."""
COLUMNS: Final = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def show_count(items: Iterable[T], name: str, total: int | None = None, every: int = PRINT_EVERY) -> Iterator[T]:
    """Yield the items, and show how many of them have been taken. `total` is their number, if it is known."""
    stderr = Console(stderr=True)
    if not stderr.is_terminal:
        yield from items
        return
    with Progress(*COLUMNS, console=stderr, transient=True) as progress:
        bar = progress.add_task(name, total=total)
        for number, item in enumerate(items, 1):
            if number % every == 0:
                progress.update(bar, completed=number)
            yield item
