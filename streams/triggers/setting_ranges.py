"""The ranges of numbers in settings, and what the message for a number out of its range says."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
"""A port, or 0 for a free one or none."""
Rate = Annotated[float, msgspec.Meta(ge=0)]
"""A number per second, or 0 for no limit."""
Seconds = Annotated[float, msgspec.Meta(gt=0)]
UpToASecond = Annotated[float, msgspec.Meta(ge=0, le=1)]

_BOUNDS: Final = {">=": "at least", ">": "more than", "<=": "at most"}
_OUT_OF_RANGE: Final = re.compile(r"Expected `(?:int|float)` (\S+) (\S+)")


def describe_accepted(validation_error: str) -> str:
    """Returns which values are accepted, as the part of a sentence, from msgspec's message about another value."""
    if bound := _OUT_OF_RANGE.match(validation_error):
        return f"{_BOUNDS[bound[1]]} {float(bound[2]):g}"
    return validation_error.replace("Expected `", "a value of the type `").replace(", got `str`", "")
