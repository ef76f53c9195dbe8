"""Writes a software bill of materials of the Python environment, in CycloneDX's JSON: python sbom.py FILE

The image has it as /opt/triggers/sbom.cdx.json. It names what is installed, not what a lock asks for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any


def bill_of_materials(installed: Iterable[Distribution]) -> dict[str, Any]:
    """Returns the document for these distributions, in the order of their names."""
    components = {each.name.lower(): _component(each) for each in installed}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": [components[name] for name in sorted(components)],
    }


def _component(each: Distribution) -> dict[str, Any]:
    name = each.name.lower().replace("_", "-")
    component: dict[str, Any] = {
        "type": "library",
        "name": each.name,
        "version": each.version,
        "purl": f"pkg:pypi/{name}@{each.version}",
    }
    names = [each.metadata[field] for field in ("License-Expression", "License") if field in each.metadata]
    if names and "\n" not in names[0]:  # some projects put the whole text there
        component["licenses"] = [{"license": {"name": names[0]}}]
    return component


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(bill_of_materials(distributions()), indent=1) + "\n")
