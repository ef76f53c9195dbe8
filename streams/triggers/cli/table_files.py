"""Tables as files: CSV for spreadsheets, Parquet for data frames.

Columns and their types are those of the rows' struct, whatever rows there are.
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
"""What a row is -> the table's name, and its rows."""


def write_csv(folder: Path, tables: Tables) -> None:
    """`<table>.csv` each; a list is one cell of JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, (name, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(kind.__struct_fields__)
            writer.writerows(map(_cell, msgspec.structs.astuple(row)) for row in rows)


def write_parquet(folder: Path, tables: Tables) -> None:
    """`<table>.parquet` each. Needs the extra `parquet`; raises UsageError without it."""
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


def _plain(kind: Any) -> Any:  # noqa: ANN401  # a type as it is written
    """Without `| None`: every column may be null."""
    return next((one for one in get_args(kind) if type(None) in get_args(kind) and one is not type(None)), kind)


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else value
