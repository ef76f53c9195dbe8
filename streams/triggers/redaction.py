"""Removes passwords from text that people read: messages, log lines and representations of objects."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
_IN_URL: Final = re.compile(r"(?<=//)[^\s'\"]*@")
"""What stands before the last `@` of a URL. A password that is not percent-encoded may contain `/`, `?`, `#`, `@`."""
_WITHOUT_SCHEME: Final = re.compile(r"[^\s'\",/:=@]+:(?!//)[^\s'\",]*@(?=[\w\[])")
_PARAMETER: Final = re.compile(r"(?i)\b([\w.-]*(?:password|passwd|secret|token|api[_-]?key))(\s*=\s*)[^\s&;,'\"]+")


def without_secrets(text: str) -> str:
    """Return the text with a mask for users and passwords of URLs, and for values whose names say that they are secret.

    It is for addresses and for what other libraries say about them, not for names that an application chooses.
    """
    masked = _WITHOUT_SCHEME.sub(f"{MASK}@", _IN_URL.sub(f"{MASK}@", text))
    return _PARAMETER.sub(rf"\1\2{MASK}", masked)
