"""Tables as files: CSV for spreadsheets, Parquet for data frames."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec
from msgspec import Struct

Tables = Mapping[str, Sequence[Struct]]


def write_csv(folder: Path, tables: Tables) -> list[Path]:
    """`<table>.csv` each; a list is one cell of JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_csv(folder / f"{name}.csv", rows) for name, rows in tables.items()]


def write_parquet(folder: Path, tables: Tables) -> list[Path]:
    """`<table>.parquet` each. Needs the extra `parquet`; raises UsageError without it."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise click.UsageError("Parquet needs pyarrow: pip install 'kafka-triggers[parquet]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, rows in tables.items():
        paths.append(folder / f"{name}.parquet")
        parquet.write_table(pa.Table.from_pylist([msgspec.to_builtins(row) for row in rows]), paths[-1])
    return paths


def _write_csv(path: Path, rows: Sequence[Struct]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, row in enumerate(rows):
            fields = msgspec.structs.asdict(row)
            if number == 0:
                writer.writerow(fields)
            writer.writerow(map(_cell, fields.values()))
    return path


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else value
