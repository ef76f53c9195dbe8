"""A schema registry in memory."""

from __future__ import annotations

import json

from triggers.codec import Reason
from triggers.errors import Undecodable


class MemoryRegistry:
    """Holds schemas by id and counts the look-ups."""

    def __init__(self, **schemas: object) -> None:
        self.schemas = {int(name.removeprefix("id")): schema for name, schema in schemas.items()}
        self.lookups = 0

    def schema(self, schema_id: int) -> str:
        self.lookups += 1
        if schema_id not in self.schemas:
            raise Undecodable(Reason.UNKNOWN_SCHEMA, f"id {schema_id}")
        return json.dumps(self.schemas[schema_id])
