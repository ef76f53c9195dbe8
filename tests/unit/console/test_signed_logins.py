"""Consoles that share a secret accept each other's logins, also after a restart, until the token is gone."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.console_client import ConsoleClient, console, form_key_of
from tests.support.console_log import log_events

from triggers.api.identity import Principal, Scope
from triggers.api.tokens import TokenFile, make_token, token_line
from triggers.console import FileSource, read_secret
from triggers.errors import SettingsError

SECRET = b"k" * 32
TOKEN = make_token()
LINE = token_line("ada", frozenset({Scope.OPERATE}), TOKEN)


class OpenId:
    """Knows one JSON web token, as a provider does. Its signature is not the subject here."""

    def __init__(self, expiry: float) -> None:
        claims = base64.urlsafe_b64encode(json.dumps({"exp": expiry}).encode()).rstrip(b"=").decode()
        self.token = f"e30.{claims}.c2ln"

    async def identify(self, token: str) -> Principal | None:
        return Principal(name="bob", scopes=frozenset({Scope.READ})) if token == self.token else None


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[ConsoleClient, ConsoleClient, Path]]:
    """Two consoles behind one name, and the file of their tokens."""
    file = tmp_path / "tokens"
    file.write_text(LINE)
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(console(FileSource(log_events()), None, TokenFile(file), secret=SECRET))
            for _ in range(2)
        ]
        yield first, second, file


def _share_cookies(of: ConsoleClient, to: ConsoleClient) -> None:
    to.client.cookies.clear()
    to.client.cookies.update(of.client.cookies)


async def _status(client: ConsoleClient) -> int:
    return (await client.get("/sessions/s-done")).status_code


async def test_a_log_in_at_one_console_is_valid_at_the_other_and_so_are_its_forms(
    pair: tuple[ConsoleClient, ConsoleClient, Path],
) -> None:
    first, second, _ = pair
    assert await _status(second) == 303
    await first.send_form("/login", {"token": TOKEN, "next": "/"})
    _share_cookies(first, second)

    assert await _status(second) == 200
    key = form_key_of(await first.get("/rules"))
    sent = await second.client.post("/rules", data={"rules": "{}", "form_key": key})
    assert sent.status_code == 200
    assert TOKEN not in str(dict(second.client.cookies))


async def test_a_token_that_is_removed_from_the_file_is_out_everywhere(
    pair: tuple[ConsoleClient, ConsoleClient, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, file = pair
    await first.send_form("/login", {"token": TOKEN, "next": "/"})
    _share_cookies(first, second)
    file.write_text("")
    monkeypatch.setattr("triggers.api.tokens._POLL_INTERVAL_S", -1.0)

    assert [await _status(first), await _status(second)] == [303, 303]


async def test_a_log_out_ends_the_cookie_at_its_console(pair: tuple[ConsoleClient, ConsoleClient, Path]) -> None:
    first, _, _ = pair
    await first.send_form("/login", {"token": TOKEN, "next": "/"})
    stolen = dict(first.client.cookies)

    await first.send_form("/logout", {}, page="/")

    assert await _status(first) == 303
    first.client.cookies.clear()
    first.client.cookies.update(stolen)
    assert await _status(first) == 303


async def test_a_cookie_that_somebody_has_changed_or_signed_is_worth_nothing(
    pair: tuple[ConsoleClient, ConsoleClient, Path],
) -> None:
    first, second, file = pair
    await first.send_form("/login", {"token": TOKEN, "next": "/"})
    ((name, cookie),) = dict(first.client.cookies).items()
    text, _, signature = cookie.partition(".")
    forged = base64.urlsafe_b64encode(b'{"id":"x","until":9e12,"name":"root","scopes":["admin"]}').decode().rstrip("=")
    async with console(FileSource(log_events()), None, TokenFile(file), secret=b"other" * 8) as other:
        other.client.cookies.set(name, cookie)
        assert await _status(other) == 303
    wrong = (f"{forged}.{signature}", f"{text}.{signature[::-1]}", f"{text}.", f".{signature}", f"{text}.ü", "." * 9)
    for each in wrong:
        response = await second.client.get("/sessions/s-done", headers={b"Cookie": f"{name}={each}".encode()})
        assert response.status_code == 303, each


async def test_a_log_in_by_an_openid_token_ends_when_the_token_does() -> None:
    provider = OpenId(expiry=time.time_ns() / 1e9 + 60)
    expired = OpenId(expiry=time.time_ns() / 1e9 - 60)
    for each, status in ((provider, 200), (expired, 303)):
        async with console(FileSource(log_events()), None, each, secret=SECRET) as client:
            await client.send_form("/login", {"token": each.token, "next": "/"})
            assert await _status(client) == status
            assert each.token not in str(dict(client.client.cookies))


@pytest.mark.parametrize("content", [None, b"short", b"  \n"])
def test_a_secret_must_be_there_and_long(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match="secret"):
        read_secret(file)
    file.write_bytes(b" " + SECRET + b"\n")
    assert read_secret(file) == SECRET
