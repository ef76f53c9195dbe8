"""What commands print: JSON for programs, tables for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

F = TypeVar("F", bound=Callable[..., Any])

json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, envvar="TRIGGERS_JSON", help="Print one JSON document."
)


def print_json(value: object) -> None:
    """One JSON document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """A table; in a pipe it is as wide as it must be and has no colours."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    console().print(table)


def console() -> Console:
    """Where tables go."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = 200
    return found


def cell(value: object) -> str:
    """Text of a cell; user text is shown as it is, never as markup."""
    from rich.markup import escape  # noqa: PLC0415  # only here

    return escape("" if value is None else str(value))
