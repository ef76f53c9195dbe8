"""A browser without scripts, for tests of the console's pages in one process: it keeps cookies and fills in forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape

from httpx import ASGITransport, AsyncClient, Response
from starlette.types import ASGIApp

from triggers.api.authentication import Authentication
from triggers.api.identity import Identifier
from triggers.console import Access, Source, application
from triggers.overview.installation import InstallationReader

LOCAL = "http://127.0.0.1:6080"
_FORM_KEY = re.compile(r'name="form_key" value="([0-9a-f]+)"')


class ConsoleClient:
    """Requests to one console."""

    def __init__(self, app: ASGIApp, client: AsyncClient) -> None:
        self.app = app
        self.client = client

    async def get(self, path: str, **headers: str) -> Response:
        """Gets a page; a redirect is not followed."""
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, content: bytes) -> Response:
        """Sends a body that is no form, as programs send it to the API."""
        return await self.client.post(path, content=content)

    async def send_form(
        self,
        path: str,
        fields: Mapping[str, str],
        *,
        page: str = "",
        files: Mapping[str, tuple[str, bytes]] | None = None,
        **headers: str,
    ) -> Response:
        """Loads a page, which is that of `path` unless it is given, and sends a form of it."""
        form_key = form_key_of(await self.get(page or path))
        return await self.client.post(path, data={"form_key": form_key, **fields}, files=files, headers=headers)


def form_key_of(page: Response) -> str:
    """Returns the key of a page's forms, or no text if it has none."""
    found = _FORM_KEY.search(page.text)
    return unescape(found[1]) if found else ""


@asynccontextmanager
async def console(
    source: Source,
    installation: InstallationReader | None = None,
    *identifiers: Identifier,
    is_local: bool = True,
    read_only: bool = False,
    url: str = "",
    base_url: str = LOCAL,
    secret: bytes = b"",
) -> AsyncIterator[ConsoleClient]:
    """Yields a client of a console without services, so that nobody can change anything."""
    access = Access(
        Authentication(identifiers), actor="ada@ops", is_local=is_local, read_only=read_only, url=url, secret=secret
    )
    app = application(source, installation, access)
    async with AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url=base_url) as client:
        yield ConsoleClient(app, client)
