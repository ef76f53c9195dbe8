"""Refuses rules of edition 2, which the engine runs and the questions of the analysis do not understand yet."""

from __future__ import annotations

from triggers.core.plan import Plan
from triggers.core.rule_set import EDITION
from triggers.errors import CallError


def require_edition_1(plan: Plan, question: str) -> None:
    """Raises CallError for rules of edition 2. An answer that leaves half of a rule out would be wrong."""
    if plan.rules is not None:
        raise CallError(f"{EDITION!r}: 2: {question} understands rules of edition 1 only")
