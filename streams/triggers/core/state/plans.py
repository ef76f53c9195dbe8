"""Compiled configurations, kept as long as they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from triggers.core.config import check_keys, compile_plan, tasks_of
from triggers.core.delivery import accept_every_plan
from triggers.core.kwargs import join_object, split_members
from triggers.core.memo import remember_bounded
from triggers.core.plan import NO_CONFIGURATION, Plan
from triggers.core.rule_set import EDITION
from triggers.core.state.rows import Rows, configuration_key
from triggers.errors import InvalidConfiguration

_KNOWN_PLANS: Final = 1000


class Plans:
    """A cache of compiled configurations by hash. Sessions share it; it changes no result."""

    def __init__(self, check: Callable[[Plan], None] = accept_every_plan) -> None:
        """`check` raises InvalidConfiguration for a plan that the caller cannot carry out."""
        self._check = check
        self._plans: dict[bytes, Plan] = {}
        self._merged: dict[tuple[bytes, bytes], Plan] = {}

    def load(self, digest: bytes, rows: Rows) -> Plan:
        """Returns the plan of a configuration that a header refers to; an empty digest means no configuration."""
        if not digest:
            return NO_CONFIGURATION
        plan = self._plans.get(digest)
        if plan is None:
            text = rows.get(configuration_key(digest))
            if text is None:
                raise RuntimeError(f"the table has no configuration {digest.hex()}")
            plan = remember_bounded(self._plans, _KNOWN_PLANS, digest, compile_plan(text))
        return plan

    def merge(self, base: Plan, update: bytes) -> Plan:
        """Returns the base with the update's tasks added, or replaced in place. Raises InvalidConfiguration."""
        plan = self._merged.get((base.digest, update))
        if plan is None:
            check_keys(update)
            merged = split_members(base.text) | tasks_of(update)
            if base.rules is not None and merged[EDITION] != b"2":
                raise InvalidConfiguration(f"{EDITION!r}: edition 2 is for ever; remove it, or write 2")
            plan = compile_plan(join_object(merged))
            self._check(plan)
            remember_bounded(self._merged, _KNOWN_PLANS, (base.digest, update), plan)
            remember_bounded(self._plans, _KNOWN_PLANS, plan.digest, plan)
        return plan
