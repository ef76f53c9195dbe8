"""Writes the JSON schemas of what commands print: python -m tests.docs.json_schemas."""

from __future__ import annotations

from pathlib import Path

import msgspec

from triggers.analysis.explanation import Explanation

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


def write_schema(name: str, kind: type[msgspec.Struct]) -> None:
    """The schema of the struct's JSON."""
    text = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(kind)), indent=2)
    (SCHEMAS / f"{name}.schema.json").write_bytes(text + b"\n")


if __name__ == "__main__":
    write_schema("explanation", Explanation)
