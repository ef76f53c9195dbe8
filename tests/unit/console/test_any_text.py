"""Sessions, triggers and tasks of any name open in the console."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import pytest
from starlette.types import Message
from tests.support.any_text import ANY_TEXT, log_of
from tests.support.console_client import ConsoleClient, console

import triggers.console
from triggers.analysis.visible_text import show_hidden
from triggers.console import FileSource

_VALUES = re.compile(r'<(?:input|option)\b(?:\{.*?[%}]\}|[^>{])*?\bvalue="((?:\{\{.*?\}\}|[^"{])*)"')
_TEXTAREAS = re.compile(r"<textarea\b.*?>(.*?)</textarea>")
TEMPLATES = sorted((Path(triggers.console.__file__).parent / "templates").glob("*.html"))


@pytest.fixture
async def client() -> AsyncIterator[ConsoleClient]:
    log = [line for name in ANY_TEXT.values() for line in log_of(name)]
    async with console(FileSource(log)) as client:
        yield client


class _Links(HTMLParser):
    """The links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")


async def _get(client: ConsoleClient, path: str) -> str:
    """Gets the path as a browser does: it resolves dots, and sends what is encoded as it is."""
    resolved: list[str] = []
    for segment in path.split("/"):
        match segment.lower().replace("%2e", "."):
            case "..":
                resolved.pop()
            case ".":
                pass
            case _:
                resolved.append(segment)
    response = await client.get("/".join(resolved))
    assert response.status_code == 200, f"{path}: {response.text[-500:]}"
    return response.text


async def test_every_link_of_the_list_leads_to_its_session(client: ConsoleClient) -> None:
    links = [link for link in _Links(await _get(client, "/sessions?limit=1000")).links if link.startswith("/sessions/")]

    opened = {json.loads(await _get(client, f"/api{link}"))["uid"] for link in links}
    for link in links:
        assert "<h1>" in await _get(client, link)

    assert opened == set(ANY_TEXT.values())


@pytest.mark.parametrize("name", ANY_TEXT)
async def test_every_question_about_a_session_is_answered(client: ConsoleClient, name: str) -> None:
    uid = ANY_TEXT[name]
    path = f"/api/sessions/{quote(uid, safe='')}{';' if name in {'dot', 'two dots'} else ''}"

    explanation = json.loads(await _get(client, f"{path}/explanation"))
    causes = json.loads(await _get(client, f"{path}/causes"))
    capsule = json.loads(await _get(client, f"{path}/capsule"))
    picture = ET.fromstring(await _get(client, f"{path}/graph"))  # noqa: S314  # our own picture
    for language in ("dot", "mermaid"):
        assert await _get(client, f"{path}/graph?format={language}")

    assert {explanation["session"], causes["session"], capsule["session"]} == {uid}
    assert [instance["name"] for instance in causes["instances"]] == [f"t{uid}#0"]
    assert picture.tag.endswith("svg")


class _Shown(HTMLParser):
    """All that a page shows: its text and its attributes, but not the values of the fields of forms."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.values: list[str] = []
        """What forms send back."""
        self._field = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._field = tag if tag == "textarea" else ""
        for name, value in attrs:
            is_sent = name == "value" and tag in {"input", "option"}
            (self.values if is_sent else self.shown).append(value or "")

    def handle_data(self, data: str) -> None:
        (self.values if self._field else self.shown).append(data)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  # HTMLParser's signature
        self._field = ""


@pytest.mark.parametrize("name", ANY_TEXT)
async def test_a_page_shows_the_characters_that_would_mirror_or_hide_its_text(client: ConsoleClient, name: str) -> None:
    uid = ANY_TEXT[name]
    path = f"/sessions/{quote(uid, safe='')}{';' if name in {'dot', 'two dots'} else ''}"

    session = _Shown(await _get(client, path))
    search = _Shown(await _get(client, f"/sessions?{urlencode({'prefix': uid})}"))

    for text in (*session.shown, *search.shown):
        assert show_hidden(text) == text, ascii(text)
    assert show_hidden(uid).split() == " ".join(session.shown).split() or show_hidden(uid) in session.shown
    assert uid in search.values, "a form sends it back unchanged"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_what_a_field_of_a_form_sends_back_is_not_changed(template: Path) -> None:
    text = template.read_text()

    for sent in (*_VALUES.findall(text), *_TEXTAREAS.findall(text)):
        for expression in re.findall(r"\{\{(.*?)\}\}", sent):
            assert expression.rstrip().endswith("|verbatim"), sent


@pytest.mark.parametrize("uid", [".", ".."])
async def test_a_client_that_does_not_resolve_dots_needs_no_semicolon(client: ConsoleClient, uid: str) -> None:
    app, sent = client.app, list[Message]()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    path = f"/api/sessions/{uid}"
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path, "query_string": b"",
        "raw_path": path.encode(), "headers": [(b"host", b"localhost")], "server": ("127.0.0.1", 6080),
    }  # fmt: skip
    await app(scope, receive, send)

    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"])["uid"] == uid
