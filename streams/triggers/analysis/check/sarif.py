"""Writes findings as SARIF 2.1.0, which code hosts and editors read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from triggers.analysis.check.findings import KINDS, CheckFinding

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings_by_uri: Mapping[str, Sequence[CheckFinding]], version: str) -> dict[str, object]:
    """Returns a SARIF log with one run over these files (URI -> findings). `version` is that of the package."""
    driver = {
        "name": "triggers check",
        "version": version,
        "rules": [_rule(name) for name in KINDS],
    }
    results = [_result(uri, one) for uri, findings in findings_by_uri.items() for one in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, object]:
    kind = KINDS[name]
    return {
        "id": name,
        "shortDescription": {"text": kind.summary},
        "defaultConfiguration": {"level": kind.severity},
    }


def _result(uri: str, one: CheckFinding) -> dict[str, object]:
    region = {
        "startLine": one.location.line,
        "startColumn": one.location.column,
        "endLine": one.location.end_line,
        "endColumn": one.location.end_column,
    }
    location: dict[str, object] = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
    if one.task is not None:
        location["logicalLocations"] = [{"name": one.task, "fullyQualifiedName": _logical(one)}]
    return {
        "ruleId": one.rule,
        "ruleIndex": list(KINDS).index(one.rule),
        "level": one.severity,
        "message": {"text": "\n".join((f"{one.message}. {one.fix[:1].upper()}{one.fix[1:]}.", *one.details))},
        "locations": [location],
    }


def _logical(one: CheckFinding) -> str:
    return one.task or "" if one.directive is None else f"{one.task}/{one.directive}"
