"""Removes passwords from text that people read: messages, log lines and representations of objects."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
_NAME: Final = r"[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|key[._]pem)"
"""A name whose value is secret. It is the end of the name that counts: `password.file` and `token.endpoint` are not."""
_SECRET_NAME: Final = re.compile(rf"(?i){_NAME}|sasl\.oauthbearer\.config|sasl\.jaas\.config")
_IN_URL: Final = re.compile(r"(?<=//)[^\s'\"]*@")
"""The text before the last `@` of a URL. A password that is not percent-encoded may contain `/`, `?`, `#`, `@`."""
_WITHOUT_SCHEME: Final = re.compile(r"[^\s'\",/:=@]+:(?!//)[^\s'\",]*@(?=[\w\[])")
_PARAMETER: Final = re.compile(rf"""(?i)\b({_NAME})(\s*=\s*)("[^"]*"|'[^']*'|[^\s&;,'"]+)""")
_IN_MAPPING: Final = re.compile(rf"""(?i)(["'])({_NAME})\1(\s*:\s*)("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")
"""A value in JSON or in the representation of a dictionary."""


def without_secrets(text: str) -> str:
    """Return the text with a mask for users and passwords of URLs, and for values whose names say that they are secret.

    It is for addresses and for what other libraries say about them, not for names that an application chooses.
    """
    masked = _WITHOUT_SCHEME.sub(f"{MASK}@", _IN_URL.sub(f"{MASK}@", text))
    masked = _IN_MAPPING.sub(rf"\1\2\1\3\1{MASK}\1", masked)
    return _PARAMETER.sub(rf"\1\2{MASK}", masked)


def is_secret_name(name: str) -> bool:
    """Return whether the value of a setting or property of this name is secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def shown_value(name: str, value: object) -> object:
    """Return what people may read of the value of a setting: a mask, or the value with its URLs masked."""
    if not isinstance(value, str):
        return value
    return MASK if value and is_secret_name(name) else without_secrets(value)
