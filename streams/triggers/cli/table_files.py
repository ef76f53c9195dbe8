"""Writes tables as CSV files for spreadsheets and as Parquet files for data frames.

Columns and types come from the struct of the rows, so that they are the same for an empty table.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from msgspec import Struct

Tables = Mapping[type[Struct], tuple[str, Sequence[Struct]]]
"""Struct of the rows -> name of the table, and its rows."""


def write_csv(folder: Path, tables: Tables) -> None:
    """Write each table to `<table>.csv`. A list becomes a cell with JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, (name, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(kind.__struct_fields__)
            writer.writerows(map(_cell, msgspec.structs.astuple(row)) for row in rows)


def write_parquet(folder: Path, tables: Tables) -> None:
    """Write each table to `<table>.parquet`. Raises UsageError if the extra `parquet` is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise click.UsageError("Parquet needs pyarrow: pip install 'kafka-triggers[parquet]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    types = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), list[str]: pa.list_(pa.string())}
    for kind, (name, rows) in tables.items():
        schema = pa.schema([(field.name, types[_plain(field.type)]) for field in msgspec.structs.fields(kind)])
        values = [msgspec.to_builtins(row) for row in rows]
        parquet.write_table(pa.Table.from_pylist(values, schema), folder / f"{name}.parquet")


def _plain(kind: Any) -> Any:  # noqa: ANN401  # a type annotation
    """Return the type without `| None`, because every column may be null."""
    return next((one for one in get_args(kind) if type(None) in get_args(kind) and one is not type(None)), kind)


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else value
