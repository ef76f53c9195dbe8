"""Shorthand for rules of edition 2 that are checked, and for the orders that the check explores."""

from __future__ import annotations

from typing import Any

from tests.property.timed_rules import encoded

from triggers.analysis.check.findings import Severity
from triggers.analysis.check.orders import TaskOrders
from triggers.analysis.check.rules import Arrivals, Checked, check_rules

Json = dict[str, Any]


def task(*after: object, **other: object) -> Json:
    return {"after": list(after), "run": "app.run"} | other


def checked(rules: Json, **arrivals: Any) -> Checked:
    return check_rules(encoded({"$edition": 2} | rules), arrivals=Arrivals(**arrivals))


def orders(rules: Json, name: str = "t_a", **arrivals: Any) -> TaskOrders:
    return next(found for found in checked(rules, **arrivals).orders if found.task == name)


def findings(rules: Json, **arrivals: Any) -> list[tuple[str, str | None]]:
    return [(one.rule, one.task) for one in checked(rules, **arrivals).findings if one.severity is not Severity.NOTE]


def outcomes(found: TaskOrders | None) -> list[tuple[int, int]]:
    """Runs and orders of each outcome."""
    assert found is not None
    return sorted((len(outcome.runs), outcome.orders) for outcome in found.outcomes)
