"""A search that has found nothing yet goes on by itself, in a real browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, expect
from tests.support.browser import run_browser, strict_page
from tests.support.console_log import log_events
from tests.support.running_installation import HOSTILE, RunningInstallation, shop

from triggers.api.authentication import Authentication
from triggers.console import Access, FileSource, application


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def console() -> Iterator[str]:
    """A console over 61 sessions, of which a search examines eleven at a time."""
    access = Access(Authentication([]), actor="ada", is_local=True, read_only=False, url="")
    app = application(FileSource(log_events()), RunningInstallation(shop(), max_rows=10), access)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_it_goes_on_to_the_first_session_that_matches(console: str, browser: Browser) -> None:
    with strict_page(browser) as page:
        page.goto(f"{console}/sessions?message=onerror")

        expect(page.locator("#found tbody th[scope=row]")).to_have_text([HOSTILE.replace("\u202e", "\\u202e")])
        assert "cursor=" in page.url, "it was not among the first rows"


def test_it_goes_on_to_the_end_and_says_what_it_has_examined(console: str, browser: Browser) -> None:
    with strict_page(browser) as page:
        page.goto(f"{console}/sessions?seen=unknown")

        expect(page.locator("#results")).to_contain_text("No session matches all of these filters.")
        expect(page.locator("#results")).to_contain_text("The search has examined 67 rows.")
        assert "examined=" in page.url, "a reload goes on where the search has come to"
        assert page.evaluate("history.length") == 2, "the parts of the search are no steps back"
