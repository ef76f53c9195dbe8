"""Hidden characters are shown as escapes, and all others as they are."""

from __future__ import annotations

import json
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from tests.support.any_text import ANY_TEXT

from triggers.analysis.visible_text import escape_json, show_hidden

EVERY = list(map(chr, range(sys.maxunicode + 1)))
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Classes of the bidirectional algorithm that change the order of other characters."""


def test_no_control_and_no_change_of_direction_is_hidden() -> None:
    controls = {char for char in EVERY if unicodedata.category(char) in {"Cc", "Zl", "Zp"}} - set("\t\n\r")
    directions = {char for char in EVERY if unicodedata.bidirectional(char) in DIRECTIONS}

    for char in sorted(controls | directions | set("\u061c\u200b\u200e\u200f\u2060\ufeff\U000e0061")):
        assert show_hidden(f"a{char}b").isascii(), ascii(char)


def test_letters_marks_and_emoji_of_all_scripts_are_shown_as_they_are() -> None:
    shown = "".join(char for char in EVERY if unicodedata.category(char)[0] in "LMNPS")

    assert show_hidden(shown) == shown
    for name in ("Arabic", "emoji family", "combining marks", "markup", "backslash", "space"):
        assert show_hidden(ANY_TEXT[name]) == ANY_TEXT[name]


def test_an_override_is_shown_where_it_is() -> None:
    assert show_hidden("file\u202egnp.exe\x1b[31m\U000e0061\n") == "file\\u202egnp.exe\\x1b[31m\\U000e0061\n"


@given(st.text() | st.sampled_from(list(ANY_TEXT.values())), st.text())
def test_an_escaped_json_document_means_the_same(value: str, name: str) -> None:
    document = json.dumps({name: [value]}, ensure_ascii=False)

    escaped = escape_json(document)

    assert json.loads(escaped) == {name: [value]}
    assert show_hidden(escaped) == escaped
