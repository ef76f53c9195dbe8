"""Makes texts that UTF-8 can encode."""

from __future__ import annotations


def encodable(text: str) -> str:
    """Returns the text with the characters escaped that UTF-8 cannot encode, which are lone surrogates."""
    return text.encode(errors="backslashreplace").decode()
