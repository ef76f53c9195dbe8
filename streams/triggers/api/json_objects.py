"""JSON objects in bodies that are passed on as bytes: kwargs, results, metadata, configurations."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

JsonObject = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
"""An object that is not decoded. `check_payload` checks it."""


def no_members() -> Any:  # noqa: ANN401  # msgspec's `field` takes the type of the attribute from it
    """Returns an empty object, as the default of a `JsonObject`."""
    return msgspec.field(default_factory=_empty)


def _empty() -> Raw:
    return Raw(b"{}")
