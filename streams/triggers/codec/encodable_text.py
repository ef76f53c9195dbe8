"""Makes texts that UTF-8 can encode."""

from __future__ import annotations


def encodable(text: str) -> str:
    """Returns the text with its lone surrogates escaped, because UTF-8 cannot encode them."""
    return text.encode(errors="backslashreplace").decode()
