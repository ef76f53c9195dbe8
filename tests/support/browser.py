"""A real headless browser for tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def run_browser() -> Iterator[Browser]:
    """Runs the machine's Chromium or Chrome. Without one, it skips the test, or fails it in CI."""
    path = next((executable for name in _NAMES if (executable := shutil.which(name))), None)
    if path is None:
        why = f"no browser: none of {', '.join(_NAMES)} is on the PATH"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    expect.set_options(timeout=90_000)  # on a busy machine a page needs more than the default of five seconds
    with sync_playwright() as playwright:
        # Root in a container cannot use Chromium's sandbox. The pages are our own, so none is needed.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Complaints:
    """Collects what the browser reports about a page: script errors, violations of its policy and missing resources."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", lambda message: self.found.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.found.append(str(error)))
        page.on("requestfailed", self._note_failure)

    def _note_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the browser itself aborts what the next page does not need
            self.found.append(f"{request.url}: {request.failure}")


@contextmanager
def strict_page(browser: Browser) -> Iterator[Page]:
    """A page of a browser. Whatever it complains about, such as a script that runs, fails the test."""
    page = browser.new_context().new_page()
    page.set_default_timeout(90_000)
    complaints = Complaints(page)
    page.on("dialog", lambda dialog: complaints.found.append(f"dialog {dialog.message}"))
    yield page
    refused = "the server responded with a status of 400"  # what the browser says of a form with a wrong field
    assert [each for each in complaints.found if refused not in each] == []
    page.context.close()
