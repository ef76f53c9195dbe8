"""Writes the JSON schemas of the documents that commands print, and of rules: python -m tests.docs.json_schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from tests.docs.rules_schema import build_schema
from tests.docs.schema_parts import Schema

from triggers.analysis.backtest.report import BacktestReport
from triggers.analysis.check.rules import Checked
from triggers.analysis.explain.explanation import Explanation
from triggers.analysis.graph.causes import SessionCauses
from triggers.analysis.stats.statistics import Statistics
from triggers.analysis.verify.capsules import Capsule
from triggers.cli.status import Overview
from triggers.core.view import SessionView
from triggers.queries import Page

FOLDER = Path(__file__).resolve().parents[2] / "schemas"
SCHEMAS: Final[dict[str, type[msgspec.Struct]]] = {
    "backtest": BacktestReport,
    "capsule": Capsule,
    "causes": SessionCauses,
    "check": Checked,
    "explanation": Explanation,
    "overview": Overview,
    "page": Page,
    "session": SessionView,
    "statistics": Statistics,
}
"""Name of the file in `schemas` -> the type that it describes."""
NAMES: Final = sorted([*SCHEMAS, "rules"])


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.schema.json"


def text_of(name: str) -> bytes:
    """Return the schema as the file must contain it."""
    return msgspec.json.format(msgspec.json.encode(_schema_of(name)), indent=2) + b"\n"


def _schema_of(name: str) -> Schema:
    return msgspec.json.schema(SCHEMAS[name]) if name in SCHEMAS else build_schema()


if __name__ == "__main__":
    for schema in NAMES:
        path_of(schema).write_bytes(text_of(schema))
