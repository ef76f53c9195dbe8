"""What a storage can carry out of a configuration. A rule that it would ignore is refused when it arrives."""

from __future__ import annotations

from triggers.core.plan import Plan
from triggers.core.rule_set import EDITION
from triggers.errors import InvalidConfiguration


def accept_every_plan(plan: Plan) -> None:
    """Accepts all rules: the caller delivers every decision, or only looks at them."""


def check_edition_1(plan: Plan) -> None:
    """Raises InvalidConfiguration for rules of edition 2, in storages that cannot store its state."""
    if plan.rules is not None:
        raise InvalidConfiguration(
            f"{EDITION!r}: 2: this storage stores sessions of edition 1 only; use the stream, or remove it"
        )
