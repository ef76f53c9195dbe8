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
from rich.text import Text

from triggers.analysis.visible_text import escape_json
from triggers.cli.printable import printable
from triggers.core.view import RulesView

F = TypeVar("F", bound=Callable[..., Any])

_BORDER = 3
"""Width of the border and the margins of a column."""
_MIN_WIDTH = 12
"""Minimum width of a column in which wrapped text is still readable."""

json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, envvar="TRIGGERS_JSON", help="Print one JSON document."
)


def print_json(value: object) -> None:
    """Print a value as one indented JSON document, in which a user's text is no control sequence."""
    click.echo(escape_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table. The items of a list are lines of a cell.

    In a pipe the table has no colours and is not limited to the width of a terminal. A table with too many columns for
    the terminal is printed as records, one line for each value.
    """
    stdout, cells = console(), [[cell(value) for value in row] for row in rows]
    widths = _widths(columns, cells)
    if stdout.is_terminal and _table_width(min(width, _MIN_WIDTH) for width in widths) > stdout.width:
        _print_records(stdout, columns, cells, title)
    else:
        stdout.print(_table_of(columns, cells, title))


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table, for those who print it themselves."""
    return _table_of(columns, [[cell(value) for value in row] for row in rows], None)


def fits_terminal(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Return whether a table needs no more than the width of the terminal; in a pipe it always fits."""
    stdout = console()
    widths = _widths(columns, [[cell(value) for value in row] for row in rows])
    return not stdout.is_terminal or _table_width(widths) <= stdout.width


def _table_of(columns: Sequence[str], cells: Iterable[Sequence[str]], title: str | None) -> Table:
    table = Table(title=None if title is None else cell(title), title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def _print_records(stdout: Console, columns: Sequence[str], cells: list[list[str]], title: str | None) -> None:
    """Print each row as lines of `column  value`, without the columns that are empty in all rows."""
    if title is not None:
        stdout.print(f"[bold]{cell(title)}[/]")
    shown = [number for number, _ in enumerate(columns) if any(row[number] for row in cells)]
    for row in cells:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for number in shown:
            style = "bold" if number == 0 else ""
            grid.add_row(columns[number], Text.from_markup(row[number], style=style))
        stdout.print(grid)
        stdout.print()


def _widths(columns: Sequence[str], cells: list[list[str]]) -> list[int]:
    texts = zip(columns, *cells, strict=True)
    return [max(cell_len(line) for text in column for line in text.splitlines() or [""]) for column in texts]


def _table_width(widths: Iterable[int]) -> int:
    return sum(width + _BORDER for width in widths) + 1


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
