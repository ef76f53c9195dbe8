"""Compiled configurations, kept as long as they are used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from triggers.core.config import check_keys, compile_plan, tasks_of
from triggers.core.edition_2_plan import EDITION
from triggers.core.events import RulesPublished
from triggers.core.kwargs import join_object, split_members
from triggers.core.memo import remember_bounded
from triggers.core.plan import NO_CONFIGURATION, Plan
from triggers.core.plan_checks import accept_every_plan
from triggers.core.published_rules import (
    BACK_TO_EDITION_1,
    EMPTY_CATALOG,
    Catalog,
    PublishedRules,
    catalog_entry,
    check_publication,
    merge_adopted,
)
from triggers.core.state.rows import CATALOG, Changes, Rows, configuration_key, published_key
from triggers.errors import InvalidConfiguration

_KNOWN_PLANS: Final = 1000
_KNOWN_CATALOGS: Final = 1000

_encode_entry: Final = msgspec.msgpack.Encoder().encode
_decode_entry: Final = msgspec.msgpack.Decoder(PublishedRules).decode


class Plans:
    """A cache of compiled configurations by hash. Sessions share it; it changes no result."""

    def __init__(self, check: Callable[[Plan], None] = accept_every_plan) -> None:
        """`check` raises InvalidConfiguration for a plan that the caller cannot carry out."""
        self._check = check
        self._plans: dict[bytes, Plan] = {}
        self._merged: dict[tuple[bytes, bytes], Plan] = {}
        self._adopted: dict[tuple[bytes, bytes, frozenset[str]], Plan | InvalidConfiguration] = {}
        self._catalogs: dict[bytes, Catalog] = {}

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

    def compile(self, text: bytes) -> Plan:
        """Returns the plan of a configuration. Raises InvalidConfiguration."""
        digest = hashlib.blake2b(text, digest_size=16).digest()
        return self._plans.get(digest) or remember_bounded(self._plans, _KNOWN_PLANS, digest, compile_plan(text))

    def merge(self, base: Plan, update: bytes) -> Plan:
        """Returns the base with the update's tasks added, or replaced in place. Raises InvalidConfiguration."""
        plan = self._merged.get((base.digest, update))
        if plan is None:
            check_keys(update)
            merged = split_members(base.text) | tasks_of(update)
            plan = self._compile(base, merged)
            remember_bounded(self._merged, _KNOWN_PLANS, (base.digest, update), plan)
        return plan

    def adopt(self, base: Plan, rules: PublishedRules, removable: Collection[str], rows: Rows) -> Plan:
        """Returns the plan of a session that adopts published rules; `removable` is described at `merge_adopted`.

        Raises InvalidConfiguration. It is remembered as well, because a session that cannot adopt tries at every event.
        """
        if not base.digest:
            fresh = self.load(rules.digest, rows)
            self._check(fresh)
            return fresh
        key = base.digest, rules.digest, frozenset(removable)
        plan = self._adopted.get(key)
        if plan is None:
            version = self.load(rules.digest, rows)
            merged = merge_adopted(split_members(base.text), split_members(version.text), removable)
            try:
                plan = self._compile(base, merged)
            except InvalidConfiguration as error:
                plan = error
            remember_bounded(self._adopted, _KNOWN_PLANS, key, plan)
        if isinstance(plan, InvalidConfiguration):
            raise InvalidConfiguration(str(plan))
        return plan

    def publish(self, event: RulesPublished, rows: Rows) -> Changes:
        """Returns the rows of a partition that learns of published rules; none if it knows that version already.

        Raises CallError and InvalidConfiguration.
        """
        check_publication(event)
        plan = self.merge(NO_CONFIGURATION, event.configuration)
        newest = self.load_catalog(rows).newest(event.name)
        if newest is not None and newest.version >= event.version:
            return {}
        entry = _encode_entry(catalog_entry(event, plan.digest))
        state = hashlib.blake2b((rows.get(CATALOG) or b"") + entry, digest_size=16).digest()
        return {
            configuration_key(plan.digest): plan.text,
            published_key(event.name, event.version): entry,
            CATALOG: state,
        }

    def load_catalog(self, rows: Rows) -> Catalog:
        """Returns the published rules that a partition knows."""
        state = rows.get(CATALOG)
        if state is None:
            return EMPTY_CATALOG
        catalog = self._catalogs.get(state)
        if catalog is None:
            entries = [_decode_entry(row) for key, row in rows.scan(CATALOG) if key != CATALOG]
            catalog = remember_bounded(self._catalogs, _KNOWN_CATALOGS, state, Catalog(entries))
        return catalog

    def _compile(self, base: Plan, merged: dict[str, bytes]) -> Plan:
        if base.edition_2 is not None and merged[EDITION] != b"2":
            raise InvalidConfiguration(BACK_TO_EDITION_1)
        plan = compile_plan(join_object(merged))
        self._check(plan)
        return remember_bounded(self._plans, _KNOWN_PLANS, plan.digest, plan)
