"""Sessions, triggers and tasks of any name open in the console."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from starlette.types import Message
from tests.support.any_text import ANY_TEXT, log_of
from tests.support.console_client import ConsoleClient, console

from triggers.console import FileSource


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
