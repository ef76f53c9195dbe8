"""Who sees the console, and who may act in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import Response
from tests.support.console_client import ConsoleClient, console, form_key_of
from tests.support.console_log import log_events
from tests.support.html_text import HtmlText

from triggers.api.authentication import Authentication
from triggers.api.identity import Scope
from triggers.api.tokens import TokenFile, make_token, token_line
from triggers.console import FileSource
from triggers.console.browser_sessions import LIFE_S, BrowserSessions, Logins
from triggers.console.signed_logins import SignedLogins

TOKENS = {scope: make_token() for scope in Scope}
FOREIGN = "http://evil.example"


def _lines() -> str:
    return "\n".join(token_line(f"{scope}er", frozenset({scope}), token) for scope, token in TOKENS.items())


@pytest.fixture
def tokens() -> TokenFile:
    return TokenFile(None, _lines())


@pytest.fixture
async def client(tokens: TokenFile) -> AsyncIterator[ConsoleClient]:
    async with console(FileSource(log_events()), None, tokens) as client:
        yield client


async def _log_in(client: ConsoleClient, scope: Scope = Scope.READ, after: str = "/sessions/s-done") -> Response:
    return await client.send_form("/login", {"token": TOKENS[scope], "next": after})


async def test_everybody_has_to_log_in_and_is_led_to_the_page_that_was_asked_for(client: ConsoleClient) -> None:
    refused = await client.get("/sessions/s-done?at=12")
    assert (refused.status_code, refused.headers["location"]) == (303, "/login?next=%2Fsessions%2Fs-done%3Fat%3D12")
    assert "s-done" not in HtmlText((await client.get("/login")).text).text

    done = await _log_in(client, after="/sessions/s-done?at=12")

    assert (done.status_code, done.headers["location"]) == (303, "/sessions/s-done?at=12")
    page = await client.get("/sessions/s-done?at=12")
    assert page.status_code == 200
    assert "reader (reads only)" in HtmlText(page.text).text


@pytest.mark.parametrize(
    "token",
    ["", "trg_wrong", TOKENS[Scope.INGEST], "ü", "x" * 10_000],
    ids=["empty", "unknown", "may only ingest", "not ASCII", "long"],  # the same in every process of a run
)
async def test_a_token_that_is_wrong_or_may_not_read_is_refused(client: ConsoleClient, token: str) -> None:
    refused = await client.send_form("/login", {"token": token})

    assert refused.status_code == 401
    assert "does not have the scope read" in refused.text
    assert "set-cookie" not in refused.headers
    assert (await client.get("/")).status_code == 303


@pytest.mark.parametrize(
    "after", [FOREIGN, "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nX: 1", ""]
)
async def test_a_log_in_never_leads_to_another_site(client: ConsoleClient, after: str) -> None:
    assert (await _log_in(client, after=after)).headers["location"] == "/"


async def test_a_log_out_makes_the_cookie_useless(client: ConsoleClient) -> None:
    await _log_in(client)
    stolen = dict(client.client.cookies)
    assert (await client.get("/")).status_code == 200

    left = await client.send_form("/logout", {}, page="/")

    assert left.headers["location"] == "/login"
    client.client.cookies.update(stolen)
    assert (await client.get("/")).status_code == 303


async def test_the_cookie_is_not_the_token_and_scripts_cannot_read_it(client: ConsoleClient) -> None:
    cookie = (await _log_in(client)).headers["set-cookie"]

    assert TOKENS[Scope.READ] not in cookie
    assert cookie.startswith("triggers-6080=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie, "over plain HTTP, a browser would not send it back"


@pytest.mark.parametrize("how", ["url", "proxy"])
async def test_over_tls_the_cookie_is_for_this_host_and_tls_only(tokens: TokenFile, how: str) -> None:
    url = "https://triggers.example" if how == "url" else ""
    headers = {} if how == "url" else {"X-Forwarded-Proto": "https"}
    async with console(FileSource(log_events()), None, tokens, url=url, base_url="https://triggers.example") as client:
        page = await client.get("/login", **headers)
        cookie = page.headers["set-cookie"]

    assert cookie.startswith("__Host-triggers=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_an_id_from_before_the_log_in_is_not_used_after_it(client: ConsoleClient) -> None:
    await client.get("/login")
    before = dict(client.client.cookies)

    await _log_in(client)

    client.client.cookies.clear()
    client.client.cookies.update(before)
    assert (await client.get("/")).status_code == 303


async def test_a_token_that_is_removed_from_the_file_ends_its_sessions(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(_lines())
    tokens = TokenFile(file)
    async with console(FileSource(log_events()), None, tokens) as client:
        await _log_in(client)
        assert (await client.get("/")).status_code == 200
        file.write_text("")
        tokens._checked_at -= 10

        assert (await client.get("/")).status_code == 303


@pytest.mark.parametrize("path", ["/rules", "/backtest", "/capsule", "/login", "/logout"])
async def test_a_form_of_another_site_is_refused(client: ConsoleClient, path: str) -> None:
    await _log_in(client)
    key = form_key_of(await client.get("/rules"))
    fields = {"rules": "{}", "token": TOKENS[Scope.READ]}
    other = await client.client.post(path, data=fields | {"form_key": key}, headers={"Origin": FOREIGN})
    opaque = await client.client.post(path, data=fields | {"form_key": key}, headers={"Origin": "null"})
    sent = await client.client.post(path, data=fields | {"form_key": key}, headers={"Sec-Fetch-Site": "cross-site"})
    missing = await client.client.post(path, data=fields)
    wrong = await client.client.post(path, data=fields | {"form_key": key[::-1]})

    assert [each.status_code for each in (other, opaque, sent, missing, wrong)] == [403] * 5
    assert "this form is not valid any more" in missing.text
    assert (await client.get("/")).status_code == 200, "nobody was logged out"


async def test_a_form_of_another_browser_is_refused(client: ConsoleClient, tokens: TokenFile) -> None:
    key = form_key_of(await client.get("/login"))
    async with console(FileSource(log_events()), None, tokens) as other:
        await other.get("/login")
        refused = await other.client.post("/login", data={"form_key": key, "token": TOKENS[Scope.READ]})

    assert refused.status_code == 403


async def test_a_console_of_this_machine_needs_no_log_in_but_the_key_of_its_forms() -> None:
    async with console(FileSource(log_events())) as client:
        assert (await client.get("/login")).headers["location"] == "/"
        assert (await client.send_form("/rules", {"rules": "{}"})).status_code == 200
        assert (await client.client.post("/rules", data={"rules": "{}"})).status_code == 403
        for page in ("/", "/sessions/s-done"):
            assert "Log out" not in (await client.get(page)).text


@pytest.mark.parametrize("host", ["[", "a:b", "", "x:99999"])
async def test_a_malformed_host_is_no_error_of_the_console(client: ConsoleClient, host: str) -> None:
    for path, status in (("/", 303), ("/login", 200), ("/api/sessions", 401), ("/nothing", 404)):
        assert (await client.get(path, Host=host)).status_code == status


async def test_a_stranger_can_send_nothing_large(client: ConsoleClient) -> None:
    refused = await client.send_form("/login", {"token": "x" * 100_000})

    assert refused.status_code == 413
    assert "the body must have at most 65536 bytes" in HtmlText(refused.text).text


async def test_programs_send_their_token(client: ConsoleClient) -> None:
    authorization = {s: f"Bearer {TOKENS[s]}" for s in (Scope.READ, Scope.INGEST)}
    refused = await client.get("/api/sessions")
    wrong_scope = await client.get("/api/sessions", Authorization=authorization[Scope.INGEST])
    answered = await client.get("/api/sessions", Authorization=authorization[Scope.READ])

    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="triggers"')
    assert wrong_scope.status_code == 403
    assert len(answered.json()["sessions"]) == 3


@pytest.mark.parametrize("path", ["/ready", "/static/console.css", "/login"])
async def test_pages_without_a_token_reveal_nothing_about_sessions(client: ConsoleClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 200
    assert "s-done" not in response.text


async def test_a_host_that_is_not_the_url_is_refused() -> None:
    async with console(FileSource(log_events()), url="http://triggers.example:8080", is_local=False) as client:
        assert (await client.get("/", Host="triggers.example:8080")).status_code == 200
        refused = await client.get("/", Host="rebound.example")

    assert refused.status_code == 403
    assert "open it as triggers.example" in HtmlText(refused.text).text


@pytest.mark.parametrize("host", ["triggers.example", "localhost:6080"])
async def test_headers_restrict_what_a_page_may_do(client: ConsoleClient, host: str) -> None:
    headers = (await client.get("/login", Host=host)).headers

    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "unsafe" not in policy
    for part in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("is_signed", [False, True])
async def test_a_log_in_ends_after_half_a_day(tokens: TokenFile, *, is_signed: bool) -> None:
    now = [1_000.0]
    authentication = Authentication([tokens])
    logins: Logins = BrowserSessions(authentication, lambda: now[0])
    if is_signed:
        logins = SignedLogins(authentication, b"s" * 32, lambda: now[0])
    principal = await authentication.identify(TOKENS[Scope.READ])
    assert principal is not None
    cookie = logins.begin(TOKENS[Scope.READ], principal)
    assert await logins.principal_of(cookie) == principal

    now[0] += LIFE_S + 1

    assert await logins.principal_of(cookie) is None
