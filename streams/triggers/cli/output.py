"""Output of commands: JSON for programs, tables for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triggers.cli.printable import printable
from triggers.core.view import RulesView

F = TypeVar("F", bound=Callable[..., Any])

_BORDER = 3
"""Width of the border and the margins of a column."""

json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, envvar="TRIGGERS_JSON", help="Print one JSON document."
)


def print_json(value: object) -> None:
    """Print a value as one indented JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table. The items of a list are lines of a cell.

    In a pipe the table has no colours and is not limited to the width of a terminal.
    """
    console().print(table_of(columns, rows, title))


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """Return a table of cells with users' texts."""
    shown = None if title is None else cell(title)
    table = Table(*columns, title=shown, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    return table


def fits_terminal(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Return whether a table needs no more than the width of the terminal; in a pipe it always fits."""
    stdout = console()
    if not stdout.is_terminal:
        return True
    lines = [[cell(value).splitlines() or [""] for value in row] for row in (columns, *rows)]
    widths = [max(cell_len(line) for cells in column for line in cells) for column in zip(*lines, strict=True)]
    return sum(width + _BORDER for width in widths) + 1 <= stdout.width


def console() -> Console:
    """Return a console for tables on standard output, 200 columns wide if it is not a terminal."""
    stdout = Console(highlight=False)
    if not stdout.is_terminal:
        stdout.width = 200
    return stdout


def rules_words(rules: RulesView | None) -> str:
    """Return name and version of a session's published rules; empty if it has none."""
    return f"{rules.name} v{rules.version}" if rules else ""


def cell(value: object) -> str:
    """Return the text of a cell, in which a user's text is neither markup nor a control sequence."""
    lines = value if isinstance(value, list | tuple) else ["" if value is None else value]
    return escape("\n".join(printable(str(line)) for line in lines))


def warn(text: str) -> None:
    """Print a line with a user's text on standard error."""
    click.echo(printable(text), err=True)


def print_line(text: str) -> None:
    """Print a line that contains a user's text."""
    click.echo(printable(text))
