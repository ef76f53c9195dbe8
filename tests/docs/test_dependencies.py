"""Every dependency has a line that justifies it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECISION = ROOT / "docs" / "decisions" / "0007-dependencies.md"


def _names(requirements: list[object]) -> set[str]:
    """Return the names of the packages in requirements. A dict in a group includes another group and is left out."""
    return {re.split(r"[^\w-]", one)[0] for one in requirements if isinstance(one, str)}


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()]
    return _names(project["project"]["dependencies"]).union(*map(_names, groups))


def test_every_dependency_is_justified_and_nothing_else() -> None:
    justified = set(re.findall(r"`([\w-]+)`(?=[^|]*\|[^|]+\|$)", DECISION.read_text(), flags=re.MULTILINE))

    assert justified - {"msk", "otel", "parquet"} == _declared() - {"kafka-triggers"}  # `all` names other extras
