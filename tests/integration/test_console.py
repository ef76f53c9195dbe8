"""The console on a real Kafka. Its API agrees with the command line, and its pages work in a real browser."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.support.browser import Complaints, run_browser
from tests.support.console_log import HOSTILE, log_lines
from tests.support.program import Program, environment, run, run_json
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(90_000)
    yield page
    page.close()


@pytest.fixture
def console(settings: Settings, tmp_path: Path) -> Iterator[str]:
    """The URL of a console over an installation with the sessions of the log."""
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(log_lines()))
    assert run(settings, "topics", "create", "--partitions", "2").returncode == 0
    with WorkerProcess(settings, "console") as worker:
        worker.wait_ready()
        fired = run(settings, "fire", "--from", str(log))
        assert fired.returncode == 0, fired.stderr
        with Program(tmp_path, "console", "--port", "0", env=environment(settings)) as program:
            program.wait_for("Console at ")
            yield re.findall(r"http://\S+:\d+", program.text)[0]
            assert program.interrupt() == 0


@pytest.fixture(scope="module")
def of_a_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a console over a recorded log, without Kafka. Tests share it, because a console only reads."""
    folder = tmp_path_factory.mktemp("console")
    log = folder / "log.jsonl"
    log.write_text("\n".join(log_lines()))
    with Program(folder, "console", "--port", "0", "--from", str(log)) as program:
        program.wait_for("Console at ")
        yield re.findall(r"http://\S+:\d+", program.text)[0]


def _json(url: str) -> Any:  # noqa: ANN401  # any JSON
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310  # the URL is the console's
        return json.load(response)


def test_the_api_agrees_with_the_command_line(settings: Settings, console: str) -> None:
    shown = _json(f"{console}/api/sessions")["sessions"]
    listed = run_json(settings, "list")["sessions"]
    assert shown == [{name: each[name] for name in shown[0]} for each in listed]
    for uid in ("s-done", HOSTILE):
        path = f"{console}/api/sessions/{quote(uid, safe='')}"
        assert _json(path) == run_json(settings, "show", uid)
        assert _json(f"{path}/explanation") == run_json(settings, "explain", uid)
        assert _json(f"{path}/capsule") == json.loads(run(settings, "capture", uid).stdout)
    assert _json(f"{console}/api/statistics") == run_json(settings, "stats")


def test_a_session_is_found_and_followed_through_time(console: str, page: Page) -> None:
    complaints = Complaints(page)
    page.goto(console)
    page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name="Sessions").click()
    page.get_by_label("UID begins with").fill("s-d")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="s-done").click()
    expect(page.locator("#number")).to_have_text("7")
    expect(page.locator("#task-t_report")).to_contain_text("is scheduled, attempt 1")
    expect(page.get_by_alt_text("The causes of each instance")).to_have_js_property("complete", True)

    slider = page.get_by_role("slider")
    for _ in range(5):
        slider.press("ArrowLeft")

    expect(page.locator("section.chosen")).to_contain_text("page fired")
    expect(page.locator("#task-t_import")).to_contain_text("complete is missing: an application has to fire it")
    expect(page).to_have_url(re.compile(r"\?at=\d+$"))
    page.get_by_role("link", name="after").click()
    expect(page.locator("#number")).to_have_text("3")
    slider.press("End")
    expect(page.locator("#number")).to_have_text("7")
    expect(page.locator("section.chosen")).to_contain_text("approved fired")
    assert complaints.found == []


def test_the_overview_of_an_installation_leads_to_a_search(settings: Settings, console: str, page: Page) -> None:
    complaints = Complaints(page)
    page.goto(console)
    expect(page.get_by_role("row", name="t_report")).to_contain_text("1")
    expect(page.get_by_role("link", name="0 dead letters")).to_be_visible()
    expect(page.locator("section", has=page.get_by_role("heading", name="Workers"))).to_contain_text("http://")
    expect(page.get_by_role("rowheader", name=f"{settings.namespace}.agents")).to_be_visible()
    expect(page.locator(".finding")).to_have_count(0)

    page.get_by_role("row", name="t_report").get_by_role("link").last.click()

    expect(page.locator("#found").get_by_role("link")).to_have_text(["s-done"])
    page.get_by_text("More filters").click()
    page.get_by_label("Status now").fill("")
    page.get_by_label("Task", exact=True).fill("")
    page.get_by_label("Waits for trigger").fill("complete")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#found").get_by_role("link")).to_have_text([HOSTILE, "s-stuck"])
    assert complaints.found == []


def test_two_moments_are_compared_while_the_slider_moves(of_a_file: str, page: Page) -> None:
    complaints = Complaints(page)
    page.goto(f"{of_a_file}/sessions/s-done")
    page.get_by_label("Compare with the session at").fill("12")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("details[open] summary")).to_contain_text("values changed since 12")
    expect(page.get_by_role("rowheader", name="instances t_report#0")).to_be_visible()

    page.get_by_role("slider").press("ArrowLeft")

    expect(page.locator("#number")).to_have_text("6")
    expect(page.get_by_role("rowheader", name="instances t_import#0 status")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?at=15&from=12$"))
    page.get_by_role("link", name="only this event").click()
    expect(page.locator("details[open]")).to_have_count(0)
    assert complaints.found == []


def test_the_page_follows_a_slider_that_is_moved_while_it_is_loading(of_a_file: str, page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/console.js", hold)
    with page.expect_request("**/console.js"):
        page.goto(f"{of_a_file}/sessions/s-done", wait_until="commit")
    page.get_by_role("slider").press("ArrowLeft")
    expect(page.locator("#number")).to_have_text("7")

    held[0].continue_()

    expect(page.locator("#number")).to_have_text("6")
    expect(page.get_by_role("link", name="after")).to_be_visible()


def test_a_back_test_is_filled_in_and_answered(of_a_file: str, page: Page) -> None:
    complaints = Complaints(page)
    page.goto(f"{of_a_file}/backtest")
    page.get_by_label("New rules").fill(json.dumps({"t_import": {"after": ["page"], "run": "app.Import"}}))
    page.get_by_label("Results of runs").fill('t_import={"rows": 9}')
    page.get_by_role("button", name="Try").click()

    expect(page.locator("#verdict")).to_contain_text("3 would change")
    expect(page.locator("li.change.added").first).to_contain_text("(result: stub)")
    expect(page.get_by_label("Results of runs")).to_have_value('t_import={"rows": 9}')
    page.get_by_role("link", name="s-done").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("s-done")
    assert complaints.found == []


def test_a_moment_has_a_url(of_a_file: str, page: Page) -> None:
    page.goto(f"{of_a_file}/sessions/s-done?at=13")

    expect(page.locator("#number")).to_have_text("4")
    expect(page.get_by_role("slider")).to_have_value("4")
    expect(page.locator("[aria-current=step]")).to_contain_text("complete fired")
    page.get_by_label("offset or time").fill("2026-09-21T14:13:32Z")
    page.get_by_role("button", name="Go").click()
    expect(page.locator("#number")).to_have_text("3")
    page.get_by_role("slider").press("ArrowRight")
    expect(page.get_by_label("offset or time")).to_have_value("13")


def test_the_console_works_without_scripts(of_a_file: str, browser: Browser) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{of_a_file}/sessions/s-done")
    page.get_by_role("link", name="before").click()
    page.get_by_role("link", name="before").click()

    expect(page.locator("section.chosen")).to_contain_text("t_import#0 started")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_telephone_and_are_used_by_keyboard(
    of_a_file: str, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    complaints = Complaints(page)
    for path in ("/", "/sessions", "/sessions/s-done", f"/sessions/{quote(HOSTILE, safe='')}", "/dead-letters"):
        page.goto(f"{of_a_file}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path

    page.goto(f"{of_a_file}/sessions")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("UID begins with")).to_be_focused()
    page.keyboard.type("s-d")
    page.keyboard.press("Enter")
    expect(page.locator("main td, main th[scope=row]").get_by_role("link")).to_have_text(["s-done"])
    assert complaints.found == []
    page.close()


def test_names_that_users_choose_execute_no_script(of_a_file: str, page: Page) -> None:
    complaints = Complaints(page)
    page.on("dialog", lambda dialog: complaints.found.append(f"dialog {dialog.message}"))
    page.goto(of_a_file)
    page.get_by_role("link", name=HOSTILE).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_alt_text("The causes of each instance")).to_have_js_property("complete", True)
    page.get_by_role("link", name="before").click()
    expect(page.locator("#number")).to_have_text("2")
    assert complaints.found == []


def test_a_captured_session_is_a_timeline_elsewhere(of_a_file: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{of_a_file}/sessions/s-done")
    page.get_by_label("Keys whose values are masked").fill("by")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download capsule").click()
    capsule = tmp_path / "s.capsule.json"
    download.value.save_as(capsule)
    complaints = Complaints(page)

    page.goto(f"{of_a_file}/capsule")
    page.get_by_label("A file that").set_input_files(capsule)
    page.get_by_role("button", name="Open").click()

    expect(page.locator("#verdict")).to_contain_text("The replay gives the same result")
    expect(page.get_by_text("Masked: by")).to_be_visible()
    assert "<b>me</b>" not in capsule.read_text()
    expect(page.locator("ol.timeline > li")).to_have_count(7)
    assert complaints.found == []


def test_rules_are_checked_and_drawn(of_a_file: str, page: Page) -> None:
    complaints = Complaints(page)
    page.goto(f"{of_a_file}/rules")
    rules = {"t_a": {"after": ["x"], "unless": ["stop"], "run": "app.A"}}
    page.get_by_label("A configuration").fill(json.dumps(rules))
    page.get_by_role("button", name="Check").click()

    expect(page.locator(".finding.warning")).to_contain_text("t_a runs in 1 of 2 orders although 'stop' fires")
    picture = page.get_by_alt_text("Triggers, tasks, and what waits for what")
    assert picture.evaluate("image => image.naturalWidth") > 100
    assert complaints.found == []
