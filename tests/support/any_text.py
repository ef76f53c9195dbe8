"""Texts that may be the name of a session, a trigger or a task, and that something between two programs may change."""

from __future__ import annotations

from typing import Final

from triggers.codec import encode_configuration, encode_object
from triggers.core.events import ConfigurationUpdated, Event, TriggerFired

ANY_TEXT: Final = {
    "a GUID of .NET": "{6f9619ff-8b86-d011-b42d-00c04fc964ff}",
    "braces of a template": "{{uid}}",
    "slash": "a/b//c/",
    "slashes only": "//",
    "percent": "100%",
    "percent-encoded slash": "a%2Fb",
    "percent-encoded dots": "%2e%2e",
    "question mark": "a?b=c&d",
    "hash": "#t_a#0",
    "space": " a  b ",
    "one space": " ",
    "plus": "a+b",
    "quotes": "\"a\"'b'`c`",
    "backslash": "a\\b\\n",
    "line ends": "a\nb\r\nc",
    "line separators": "a\u2028b\x85c",
    "NUL": "a\0b",
    "escape sequence": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "markup": "<b onclick=alert(1)>[red]&amp;",
    "right-to-left override": "\u202egnp.exe",
    "Arabic": "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "emoji family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "combining marks": "e\u0301\u0302",
    "not a character": "\ufffe\uffff",
    "byte order mark": "\ufeffa",
    "dot": ".",
    "two dots": "..",
    "two dots and a semicolon": "..;",
    "semicolon": ";",
    "dash": "-x",
    "option": "--help",
    "at": "@rules.json",
    "dollar": "$HOME",
    "asterisk": "*",
    "device of Windows": "con",
    "proxy": "__proto__",
    "word of JSON": "null",
    "number": "007",
    "very long": "x" * 1024,
    "very long and not ASCII": "ü" * 512,
}
"""What is peculiar -> the text. All are UIDs that workers accept."""


def log_of(name: str) -> list[tuple[str, Event]]:
    """Returns a log in which everything has the same name: the session, its trigger and, after a letter, its task."""
    rule = {"after": [name], "run": f"app.{name}", "withParams": {name: {"n": name}}}
    rules, kwargs = encode_configuration({f"t{name}": rule}), encode_object({name: name}, "kwargs")
    return [
        (name, ConfigurationUpdated(configuration=rules, position=1, time=1_000)),
        (name, TriggerFired(trigger=name, kwargs=kwargs, id=name, position=2, time=2_000)),
    ]
