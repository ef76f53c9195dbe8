"""Shows users' texts, such as names, on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with escapes such as `\\n` or `\\u202e` for everything that would not be shown as itself.

    A name may contain line ends, sequences that control the terminal, or marks that reverse what follows them.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


_JOINERS = "\u200c\u200d"
"""They only join or separate letters and emoji."""


def _shown(char: str) -> str:
    return char if char.isprintable() or char in _JOINERS else char.encode("unicode_escape").decode()
