"""A real browser without a window, for pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The machine's Chromium or Chrome. A machine without one skips the test; in CI that is a failure."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        why = f"no browser: none of {', '.join(_NAMES)} is on the PATH"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    expect.set_options(timeout=90_000)  # a busy machine's page needs more than the five seconds of the default
    with sync_playwright() as playwright:
        # A container's root may not use Chromium's own sandbox; the pages are ours.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Complaints:
    """What the browser does not like about a page: errors of scripts, what its policy forbids, what is missing."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", lambda message: self.found.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.found.append(str(error)))
        page.on("requestfailed", lambda request: self.found.append(f"{request.url}: {request.failure}"))
