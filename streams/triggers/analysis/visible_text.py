"""Shows characters that are invisible, or that change the order of others, as escapes such as `\\u202e`.

A right-to-left override in a name or in a JSON value mirrors the text after it, and characters without width make two
different names look alike. Letters that are written from right to left, emoji and line ends are shown as they are.
"""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, except tabs and line ends
    "\xad\u180e\u200b\u2060-\u2064\ufeff"  # no width; the joiners U+200C and U+200D shape letters and emoji
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # marks, overrides and isolates of the direction
    "\u2028\u2029\ufff9-\ufffb\U000e0000-\U000e007f"  # separators of lines, annotations and tags
    "]"
)


def show_hidden(text: str) -> str:
    """Returns the text with escapes for its hidden characters."""
    return _HIDDEN.sub(_escape, text)


def escape_json(document: str) -> str:
    """Returns a JSON document with escapes for the hidden characters in its strings, which mean the same."""
    return _HIDDEN.sub(_escape_in_json, document)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _escape_in_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))
