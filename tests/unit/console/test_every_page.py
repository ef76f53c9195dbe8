"""Every page of a console that may change sessions, for those who may not: strangers, readers and operators."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.routing import Route
from structlog.testing import capture_logs
from tests.support.console_client import LOCAL, ConsoleClient
from tests.support.console_log import log_events
from tests.support.html_text import HtmlText
from tests.support.running_installation import RunningInstallation, shop, shop_letters

from triggers.api.authentication import Authentication
from triggers.api.front import Front
from triggers.api.identity import Scope
from triggers.api.services import Services
from triggers.api.tokens import TokenFile, make_token, token_line
from triggers.console import Access, FileSource, application
from triggers.settings import Settings

TOKENS = {scope: make_token() for scope in Scope}
OPEN = {("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/ready"), ("GET", "/favicon.ico")}
"""What everybody may request. It says nothing about sessions."""
CHANGES = re.compile(r"/sessions/[^/]+/instances/.*|/jobs/new|/jobs/[^/]+/(cancel|resume)|.*/(redrive|discard)")
DELETES = re.compile(r"/sessions/[^/]+/delete")
VALUES = {"uid": "s-done", "instance": "t_import%230", "partition": "0", "offset": "0", "job": "j", "name": "n"}


class Page(NamedTuple):
    """A page's method and address."""

    method: str
    path: str

    @property
    def scope(self) -> Scope:
        """The scope that a visitor must have."""
        if DELETES.fullmatch(self.path):
            return Scope.ADMIN
        return Scope.OPERATE if CHANGES.fullmatch(self.path) else Scope.READ


def _application() -> Front:
    """Builds a console with services that never reach a broker, because nobody here gets that far."""
    lines = "\n".join(token_line(f"{scope}er", frozenset({scope}), token) for scope, token in TOKENS.items())
    access = Access(Authentication([TokenFile(None, lines)]), actor="", is_local=True, read_only=False, url="")
    services, rows = Services(Settings(brokers="127.0.0.1:1")), shop()
    installation = RunningInstallation(rows, shop_letters(rows.now))
    app = application(FileSource(log_events()), installation, access, jobs=services.jobs.log, services=services)
    assert isinstance(app, Front)
    return app


def _pages(app: Front) -> Iterator[Page]:
    assert isinstance(app._app, Starlette)
    for route in app._app.routes:
        if isinstance(route, Route):
            path = re.sub(r"\{(\w+)\}", lambda name: VALUES.get(name[1], "replay"), route.path)
            yield from (Page(method, path) for method in sorted(route.methods or ()) if method != "HEAD")


PAGES = [page for page in _pages(_application()) if page not in OPEN]


@pytest.fixture
async def client() -> AsyncIterator[ConsoleClient]:
    app = _application()
    async with AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url=LOCAL) as client:
        yield ConsoleClient(app, client)


def test_there_are_pages_of_every_scope() -> None:
    assert {page.scope for page in PAGES} == {Scope.READ, Scope.OPERATE, Scope.ADMIN}
    assert len(PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.method} {page.path}")
async def test_a_stranger_gets_the_login_and_nothing_else(client: ConsoleClient, page: Page) -> None:
    response = await client.client.request(page.method, page.path)

    if page.path.startswith("/api/"):
        assert response.status_code == 401
    else:
        assert (response.status_code, response.headers["location"].partition("?")[0]) == (303, "/login")
    assert "s-done" not in response.text


@pytest.mark.parametrize(
    ("page", "scope"),
    [(page, scope) for page in PAGES for scope in (Scope.READ, Scope.OPERATE) if page.scope not in (Scope.READ, scope)],
    ids=lambda value: f"{value.method} {value.path}" if isinstance(value, Page) else str(value),
)
async def test_a_page_beyond_the_scope_of_a_visitor_is_refused(client: ConsoleClient, page: Page, scope: Scope) -> None:
    await client.send_form("/login", {"token": TOKENS[scope]})

    response = await client.client.request(page.method, page.path)

    assert response.status_code == 403
    assert f"this needs the scope {page.scope}, which your token does not have" in HtmlText(response.text).text


async def test_no_token_and_no_cookie_is_in_the_log(client: ConsoleClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), capture_logs() as lines:
        await client.send_form("/login", {"token": TOKENS[Scope.READ]})
        await client.get("/sessions/s-done")
        await client.get("/api/sessions", Authorization=f"Bearer {TOKENS[Scope.OPERATE]}")
        await client.send_form("/login", {"token": "trg_of_a_stranger"})

    written = f"{lines}{caplog.text}"
    cookies = [cookie.value or "" for cookie in client.client.cookies.jar]
    assert "/sessions/s-done" in written
    assert cookies
    assert [secret for secret in (*TOKENS.values(), "trg_of_a_stranger", *cookies) if secret in written] == []
