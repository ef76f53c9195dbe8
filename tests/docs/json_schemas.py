"""Writes the JSON schemas of what commands print: python -m tests.docs.json_schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from triggers.analysis.backtest.report import Report
from triggers.analysis.capsules import Capsule
from triggers.analysis.check.rules import Checked
from triggers.analysis.explanation import Explanation
from triggers.analysis.graph.causes import SessionCauses
from triggers.analysis.statistics import Statistics
from triggers.core.view import SessionView

FOLDER = Path(__file__).resolve().parents[2] / "schemas"
SCHEMAS: Final[dict[str, type[msgspec.Struct]]] = {
    "backtest": Report,
    "capsule": Capsule,
    "causes": SessionCauses,
    "check": Checked,
    "explanation": Explanation,
    "session": SessionView,
    "statistics": Statistics,
}
"""File in `schemas` -> whose JSON it describes."""


def path_of(name: str) -> Path:
    """The file."""
    return FOLDER / f"{name}.schema.json"


def text_of(name: str) -> bytes:
    """What must be in it."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(SCHEMAS[name])), indent=2) + b"\n"


if __name__ == "__main__":
    for schema in SCHEMAS:
        path_of(schema).write_bytes(text_of(schema))
