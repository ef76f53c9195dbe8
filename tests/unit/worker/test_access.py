"""Who may read from the worker's HTTP server."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from triggers.client.read_tokens import read_tokens
from triggers.errors import SettingsError
from triggers.settings import Settings
from triggers.worker.access import Access, is_loopback

OLD, NEW, SHORT = "the-old-token-of-all", "the-new-token-of-all", "secretive"
EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing is bound


async def status_of(settings: Settings, header: str | None = None) -> int:
    """Returns the status of a guarded handler's response."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/", Access(settings).guard(answer))])
    headers = {} if header is None else {"Authorization": header}
    async with TestClient(TestServer(app)) as client, client.get("/", headers=headers) as response:
        return response.status


async def test_without_a_token_only_a_worker_on_the_loopback_address_answers() -> None:
    assert await status_of(Settings()) == 200
    assert await status_of(Settings(web_host=EVERYWHERE)) == 403
    assert await status_of(Settings(web_host=EVERYWHERE, read_token=NEW), f"Bearer {NEW}") == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", f"Bearer {OLD}", f"Basic {NEW}", NEW, f"Bearer {NEW} more", "Bearer ü"]
)
async def test_a_wrong_token_is_refused(header: str | None) -> None:
    assert await status_of(Settings(read_token=NEW), header) == 401


async def test_every_line_of_a_token_file_is_accepted_and_the_first_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{OLD}\n")
    settings = Settings(read_token_file=path)
    assert await status_of(settings, f"Bearer {NEW}") == 401

    path.write_text(f"{NEW}\n{OLD}\n")

    assert read_tokens(settings)[0] == NEW
    assert [await status_of(settings, f"bearer {token}") for token in (OLD, NEW)] == [200, 200]


@pytest.mark.parametrize("text", ["", "short", "ü" * 20])
async def test_a_file_without_a_usable_token_lets_nobody_in(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    settings = Settings(read_token_file=path)

    with pytest.raises(SettingsError, match="TRIGGERS_READ_TOKEN"):
        read_tokens(settings)
    assert await status_of(settings) == 503


def test_a_token_is_never_shown() -> None:
    assert NEW not in repr(Settings(read_token=NEW))
    with pytest.raises(SettingsError) as raised:
        read_tokens(Settings(read_token=SHORT))
    assert SHORT not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.0.0.9", True),
        ("", False),
        (EVERYWHERE, False),
        ("::", False),
        ("10.0.0.1", False),
        ("agent", False),
    ],
)
def test_a_loopback_address_is_recognised(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
