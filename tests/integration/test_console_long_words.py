"""Words of hundreds of letters widen no page: UIDs, messages, kwargs and bad records, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import run_browser
from tests.support.console_server import console_server
from tests.support.program import run
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

UID = "u" * 500
RULES = {"t_charge": {"after": ["orderPlaced"], "run": "shop.charge"}}
FAILED = {
    "type": "failed", "instance": "t_charge#0", "exception_type": f"shop.{'E' * 200}", "exception_message": "m" * 700,
    "exception_info": "  File " + "/deep" * 200,
}  # fmt: skip
SESSION = f"/sessions/{UID}"
PAGES = (
    "/", "/sessions", "/sessions?status=failed", SESSION, f"{SESSION}/delete",
    *(f"{SESSION}/instances/t_charge%230/{repair}" for repair in ("replay", "skip", "status")),
    "/jobs/new?action=replay&status=failed", f"/jobs/new?action=delete&prefix={UID}", "/jobs", "/dead-letters",
    "/dead-letters/0/0", "/dead-letters/0/0/redrive", "/statistics?since=all&stuck_after=0s", f"/sessions/{'v' * 900}",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_browser() as browser:
        yield browser


@pytest.fixture
def console(settings: Settings, tmp_path: Path) -> Iterator[str]:
    create_topics(settings)
    application = Application(settings)
    application.fire(UID, {"configuration": RULES})
    application.fire(UID, {"trigger": "orderPlaced", "kwargs": {"note": "n" * 900, "k" * 300: 1}})
    application.fire(UID, FAILED)
    application.fire(UID, {"type": "b" * 300})
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        with console_server(settings, tmp_path) as url:
            yield url


def test_no_page_is_wider_than_the_screen(console: str, settings: Settings, browser: Browser) -> None:
    found = list[object]()
    for width in (390, 1280):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(90_000)
        for path in PAGES:
            page.goto(f"{console}{path}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            widest = page.evaluate("document.documentElement.scrollWidth")
            if widest > width or _wide_tables(page):
                found.append((path[:60], width, widest, _wide_tables(page)))
        page.close()
    assert found == [], found

    assert run(settings, "replay", "--where", "--prefix", quote(UID), "--yes").returncode == 0
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{console}/jobs")
    page.locator("tbody a").first.click()
    expect(page.locator("#items")).to_contain_text(UID)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.close()


def _wide_tables(page: Page) -> list[str]:
    """Returns the beginnings of tables that must be scrolled. Pictures may be wide."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.wide:has(> table)')].filter(each => each.scrollWidth > each.clientWidth + 1)"
        ".map(each => each.textContent.trim().slice(0, 60))"
    )
    return found
