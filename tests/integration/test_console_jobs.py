"""Many sessions and dead letters are repaired in a real browser, over a real Kafka and a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import run_browser, strict_page
from tests.support.console_server import console_server
from tests.support.program import run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

RULES = {"t_charge": {"after": ["orderPlaced"], "run": "shop.charge"}}
HOSTILE = "x/<script>alert(1)</script>\n{{ 7*7 }}\u202e"
ORDERS, DECLINED = 100, 40


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with strict_page(browser) as page:
        yield page


@pytest.fixture
def shop(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Orders of which some have failed, one with a hostile name and message, and two bad records."""
    orders, declined = getattr(request, "param", (ORDERS, DECLINED))
    create_topics(settings)
    application = Application(settings)
    for number in range(orders):
        uid = HOSTILE if number == 0 else f"order-{number:03}"
        application.fire(uid, {"configuration": RULES})
        application.fire(uid, {"trigger": "orderPlaced", "kwargs": {"eur": number}})
        if number < declined:
            message = f"{HOSTILE} was declined" if number == 0 else "card 4242 was declined"
            application.fire(
                uid,
                {
                    "type": "failed", "instance": "t_charge#0", "exception_type": "shop.Declined",
                    "exception_message": message,
                },
            )  # fmt: skip
    application.fire("order-bad", {"type": "<b>nothing</b>"})
    application.fire("order-worse", {"kwargs": {}})
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        yield settings


@pytest.fixture
def console(shop: Settings, tmp_path: Path) -> Iterator[str]:
    with console_server(shop, tmp_path, TRIGGERS_ACTOR="ada") as url:
        yield url


def _failed(settings: Settings) -> int:
    return sum(each["instances"] for each in run_json(settings, "status")["counts"] if each["status"] == "failed")


@pytest.mark.parametrize("shop", [(600, 500)], indirect=True)
def test_all_that_a_search_finds_is_counted_confirmed_replayed_and_seen_to_finish(
    console: str, settings: Settings, page: Page
) -> None:
    page.goto(f"{console}/sessions?status=failed&exception=Declined")
    page.get_by_role("link", name="Replay…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Replay 500 instances?")
    expect(page.get_by_role("region", name="What will happen")).to_contain_text("card 4242 was declined")
    page.get_by_label("Kwargs for all of them").fill("[1]")
    page.get_by_role("button", name="Replay 500 instances").click()
    expect(page.get_by_role("alert")).to_contain_text("kwargs must be a JSON object")
    assert run_json(settings, "jobs", "list") == [], "nothing is done before it is confirmed"
    page.get_by_label("Kwargs for all of them").fill("")
    page.get_by_label("Items per second").fill("1000")

    page.get_by_role("button", name="Replay 500 instances").click()

    expect(page.locator("#progress")).to_have_text("500 of 500")
    expect(page.get_by_role("link", name="500 applied")).to_be_visible()
    expect(page.locator("#items tbody tr")).to_have_count(100)
    expect(page.get_by_role("row", name="order-001")).to_contain_text("t_charge#1")
    (job,) = run_json(settings, "jobs", "list")
    assert (job["actor"], job["counts"]["applied"]) == ("ada", 500)
    page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("row", name=job["id"])).to_contain_text("500 applied")
    page.goto(f"{console}/sessions/{quote(HOSTILE, safe='')}")
    expect(page.locator("ol.timeline")).to_contain_text("ada replayed t_charge#0")


def test_a_hostile_filter_finds_the_same_in_the_preview_and_in_the_job(
    console: str, settings: Settings, page: Page
) -> None:
    page.goto(f"{console}/jobs/new?action=skip&prefix={quote(HOSTILE, safe='')}&status=failed")
    expect(page.get_by_role("heading", level=1)).to_have_text("Skip 1 instance?")
    page.get_by_label("Simulated result").fill('{"note": "</textarea><script>alert(2)</script>"}')
    page.get_by_role("button", name="Skip 1 instance").click()

    expect(page.get_by_role("link", name="1 applied")).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("</textarea><script>alert(2)</script>")
    (job,) = run_json(settings, "jobs", "list")
    assert job["where"]["prefix"] == HOSTILE


def test_a_job_is_cancelled_and_says_what_it_has_not_done(console: str, settings: Settings, page: Page) -> None:
    page.goto(f"{console}/jobs/new?action=skip&status=failed")
    page.get_by_label("Items per second").fill("0.01")
    page.get_by_role("button", name="Skip 40 instances").click()
    expect(page.get_by_role("link", name="1 applied")).to_be_visible()

    page.get_by_role("button", name="Cancel what is pending").click()

    expect(page.get_by_role("link", name="39 cancelled")).to_be_visible()
    expect(page.locator("#items")).to_contain_text("the job was cancelled by ada")
    (job,) = run_json(settings, "jobs", "list")
    assert (job["is_finished"], job["counts"]["cancelled"]) == (True, 39)


def test_a_job_never_changes_more_than_its_preview_has_counted(console: str, shop: Settings, page: Page) -> None:
    page.goto(f"{console}/jobs/new?action=skip&status=failed")
    expect(page.get_by_role("heading", level=1)).to_have_text("Skip 40 instances?")
    application = Application(shop)
    application.fire("order-050", {"type": "failed", "instance": "t_charge#0", "exception_type": "shop.Late"})
    application.flush()
    wait_until_processed(shop)

    page.get_by_role("button", name="Skip 40 instances").click()

    expect(page.locator("main .finding.error")).to_contain_text("more than 40 items match")
    assert run_json(shop, "jobs", "list") == []


def test_an_empty_filter_selects_nothing(console: str, page: Page) -> None:
    page.goto(f"{console}/sessions")
    expect(page.locator("#found")).to_be_visible()
    expect(page.get_by_role("link", name="Delete…")).to_have_count(0)
    page.goto(f"{console}/jobs/new?action=delete")
    expect(page.locator("main .finding.error")).to_contain_text("the filter is empty")


def test_sessions_that_a_search_finds_adopt_published_rules(
    console: str, settings: Settings, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{console}/jobs/new?action=adopt&prefix=order-01")
    expect(page.locator("main")).to_contain_text("Nobody has published rules")
    rules = tmp_path / "rules.json"
    rules.write_text('{"t_thank": {"after": ["t_charge"], "run": "shop.thank"}}')
    assert run(settings, "rules", "publish", "thanks", str(rules)).returncode == 0
    page.goto(f"{console}/sessions?prefix=order-01")
    page.get_by_role("link", name="Adopt rules…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Which rules do the sessions adopt?")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Let 10 sessions adopt rules?")
    expect(page.get_by_role("region", name="What will happen")).to_contain_text("it has no published rules")

    page.get_by_role("button", name="Let 10 sessions adopt version 1").click()

    expect(page.get_by_role("link", name="10 applied")).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("thanks@1")
    page.get_by_role("link", name="order-013").click()
    expect(page.locator("ol.timeline")).to_contain_text("ada let the session adopt version 1 of 'thanks'")
    versions = [each["rules"] for each in run_json(settings, "list", "--prefix", "order-01")["sessions"]]
    assert [(each["name"], each["version"]) for each in versions] == [("thanks", 1)] * 10


def test_dead_letters_are_redriven_and_discarded_with_buttons(console: str, settings: Settings, page: Page) -> None:
    page.goto(f"{console}/dead-letters")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("row", name="order-worse").get_by_role("link").first.click()
    page.get_by_role("link", name="Discard…").click()
    page.get_by_role("button", name="Discard dead letter").click()
    expect(page.locator("dl.facts")).to_contain_text("discarded by ada")

    page.goto(f"{console}/dead-letters")
    page.get_by_role("navigation", name="Reasons").get_by_role("link").first.click()
    page.get_by_role("link", name="Redrive…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Redrive 1 dead letter?")
    address = page.locator("main form").get_attribute("action")
    fields = page.locator("main form").evaluate("form => Object.fromEntries(new FormData(form))")
    page.get_by_role("button", name="Redrive 1 dead letter").click()
    expect(page.get_by_role("link", name="1 applied")).to_be_visible()
    expect(page.locator("#items")).to_contain_text("redriven")
    again = page.context.request.post(f"{console}{address}", form=fields, max_redirects=0)

    assert again.status == 303
    wait_until_processed(settings)
    states = [each["state"] for each in run_json(settings, "dead-letters", "list", "--state", "any")]
    assert sorted(states) == ["discarded", "open", "redriven"], "redriven once, and the record that still is bad is new"


def test_the_overview_follows_without_a_reload_and_keep_what_is_open(console: str, shop: Settings, page: Page) -> None:
    page.goto(console)
    expect(page.get_by_role("link", name=f"{DECLINED} failed")).to_be_visible()
    page.get_by_text("By partition").click()
    page.get_by_role("link", name="All sessions with a failed instance").focus()
    page.evaluate("document.body.dataset.loaded = 'once'")
    application = Application(shop)
    application.fire("order-060", {"type": "failed", "instance": "t_charge#0", "exception_type": "shop.Late"})
    application.flush()

    expect(page.get_by_role("link", name=f"{DECLINED + 1} failed")).to_be_visible()
    expect(page.get_by_role("rowgroup").get_by_text("shop.Late")).to_be_visible()
    expect(page.locator("details[open] summary")).to_have_text("By partition")
    expect(page.get_by_role("link", name="All sessions with a failed instance")).to_be_focused()
    assert page.evaluate("document.body.dataset.loaded") == "once"


def test_every_form_fits_a_telephone_and_is_used_by_keyboard(console: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.set_default_timeout(90_000)
    hostile = f"/sessions/{quote(HOSTILE, safe='')}"
    for path in (
        hostile,
        f"{hostile}/delete",
        *(f"{hostile}/instances/t_charge%230/{repair}" for repair in ("replay", "skip", "cancel", "status")),
        "/sessions?status=failed",
        "/jobs",
        "/jobs/new?action=skip&status=failed",
        "/jobs/new?action=redrive&topic=x",
        "/jobs/new?action=adopt&prefix=order",
        "/rules/published",
    ):
        page.goto(f"{console}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path

    page.goto(f"{console}{hostile}/instances/t_charge%230/skip")
    page.get_by_label("Fire t_charge").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Skip t_charge#0?")
    page.get_by_role("button", name="Skip t_charge#0").press("Enter")
    expect(page.get_by_role("status", name="Result")).to_contain_text("ada skipped t_charge#0")
    context.close()
