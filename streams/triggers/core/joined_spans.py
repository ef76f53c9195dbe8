"""Spans that are stored together: 24 bytes each, the id of the trace and that of the span, joined to one value.

So what has no spans is one empty field, which rows leave out.
"""

from __future__ import annotations

from typing import Final

from triggers.core.trace_context import SPAN_BYTES

MAX_SPANS: Final = 16
"""Maximum number of spans that an instance keeps. The latest are kept."""
_SPAN_BYTES: Final = SPAN_BYTES


def add_spans(spans: bytes, added: bytes) -> bytes:
    """Returns the joined spans without duplicates, in order; of more than `MAX_SPANS`, the latest."""
    if not added:
        return spans
    distinct = dict.fromkeys(split_spans(spans) + split_spans(added))
    return b"".join(list(distinct)[-MAX_SPANS:])


def split_spans(spans: bytes) -> list[bytes]:
    """Returns the single spans of joined ones."""
    return [spans[start : start + _SPAN_BYTES] for start in range(0, len(spans), _SPAN_BYTES)]
