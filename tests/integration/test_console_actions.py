"""Sessions are repaired in a real browser, over a real Kafka and a real worker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import run_browser, strict_page
from tests.support.console_server import console_server
from tests.support.program import run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.api.identity import Scope
from triggers.api.tokens import make_token, token_line
from triggers.client.session_events import SessionEvents
from triggers.core.events import OperatorEvent
from triggers.settings import Settings

pytestmark = pytest.mark.broker

RULES = {
    "t_charge": {"after": ["orderPlaced"], "run": "shop.charge"},
    "t_ship": {"after": ["t_charge"], "run": "shop.ship"},
}
HOSTILE = "o/<script>alert(1)</script>\n{{ 7*7 }}\u202e&#x27;"
HOSTILE_KWARGS = {"note": "</textarea><script>alert(2)</script>", "lines": "a\nb\u202ec {% raw %} ' \""}
DECLINED = {
    "type": "failed",
    "instance": "t_charge#0",
    "exception_type": "shop.Declined",
    "exception_message": "card <4242>\nwas declined",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with strict_page(browser) as page:
        yield page


@pytest.fixture
def shop(settings: Settings) -> Iterator[Application]:
    """Orders whose charge has failed, one of them with a hostile name and hostile kwargs, and one that is running."""
    create_topics(settings)
    application = Application(settings)
    for uid in ("order-1", "order-2", HOSTILE):
        application.fire(uid, {"configuration": RULES})
        application.fire(uid, {"trigger": "orderPlaced", "kwargs": HOSTILE_KWARGS if uid == HOSTILE else {"eur": 3}})
        application.fire(uid, DECLINED)
    application.fire("order-3", {"configuration": RULES})
    application.fire("order-3", {"trigger": "orderPlaced"})
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        yield application


@pytest.fixture
def console(shop: Application, settings: Settings, tmp_path: Path) -> Iterator[str]:
    """The URL of a console without tokens, which records the actor ada."""
    assert shop
    with console_server(settings, tmp_path, TRIGGERS_ACTOR="ada") as url:
        yield url


def _operations(settings: Settings, uid: str) -> list[OperatorEvent]:
    """Returns the events of operators with an actor in a session, in their order."""
    events = SessionEvents(settings).read_session(uid)
    return [event for event in events if isinstance(event, OperatorEvent) and event.actor is not None]


def _instance(settings: Settings, uid: str, name: str) -> dict[str, Any]:
    return next(each for each in run_json(settings, "show", uid)["instances"] if each["name"] == name)


def test_a_failed_order_is_found_understood_replayed_with_other_kwargs_and_seen_to_finish(
    console: str, settings: Settings, shop: Application, page: Page
) -> None:
    page.goto(f"{console}/sessions?status=failed")
    expect(page.locator("#found")).to_contain_text("shop.Declined")
    page.get_by_role("link", name="order-1").click()
    row = page.get_by_role("row", name="t_charge#0")
    expect(row).to_contain_text("card <4242>")
    row.get_by_role("link", name="Replay").click()
    kwargs = page.get_by_label("Kwargs: trigger")
    assert json.loads(kwargs.input_value()) == {"orderPlaced": {"eur": 3}}
    kwargs.fill('{"orderPlaced": {"eur": ')
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert")).to_contain_text("kwargs: ")
    kwargs.fill('{"orderPlaced": {"eur": 4}}')
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="What will happen")).to_contain_text("t_charge#1")
    assert _operations(settings, "order-1") == [], "nothing is done before it is confirmed"

    page.get_by_role("button", name="Replay t_charge#0").click()

    expect(page).to_have_url(re.compile(r"/sessions/order-1\?done=\d+$"))
    expect(page.get_by_role("status", name="Result")).to_contain_text("ada replayed t_charge#0")
    (replay,) = _operations(settings, "order-1")
    assert (type(replay).__name__, replay.actor) == ("ReplayRequested", "ada")
    assert _instance(settings, "order-1", "t_charge#1")["kwargs"] == {"orderPlaced": {"eur": 4}}
    page.reload()
    assert len(_operations(settings, "order-1")) == 1, "a reload sends nothing again"

    shop.fire("order-1", {"type": "finished", "instance": "t_charge#1", "attempt": 1, "result": {}})
    shop.flush()
    wait_until_processed(settings)
    page.goto(f"{console}/sessions/order-1")
    expect(page.get_by_role("row", name="t_charge#1")).to_contain_text("finished")
    expect(page.get_by_role("row", name="t_ship#0")).to_contain_text("scheduled")


def test_names_and_kwargs_of_any_text_pass_through_every_form(console: str, settings: Settings, page: Page) -> None:
    path = f"{console}/sessions/{quote(HOSTILE, safe='')}"
    page.goto(path)
    page.get_by_role("row", name="t_charge#0").get_by_role("link", name="Replay").click()
    kwargs = page.get_by_label("Kwargs: trigger")
    assert json.loads(kwargs.input_value()) == {"orderPlaced": HOSTILE_KWARGS}
    other = {"orderPlaced": HOSTILE_KWARGS | {"more": "\u2028<img src=x onerror=alert(3)>"}}
    kwargs.fill(json.dumps(other))
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Replay t_charge#0").click()
    expect(page.get_by_role("status", name="Result")).to_contain_text("ada replayed t_charge#0")
    assert _instance(settings, HOSTILE, "t_charge#1")["kwargs"] == other

    page.get_by_role("row", name="t_charge#1").get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Cancel t_charge#1").click()
    expect(page.get_by_role("row", name="t_charge#1")).to_contain_text("skipped")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete ").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("is deleted")
    assert HOSTILE not in [each["uid"] for each in run_json(settings, "list")["sessions"]]


def test_a_failed_instance_is_skipped_with_a_result_and_without_scripts(
    console: str, settings: Settings, browser: Browser
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{console}/sessions/order-2/instances/t_charge%230/skip")
    page.get_by_label("Fire t_charge").check()
    page.get_by_label("Simulated result").fill('{"paid": true}')
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="What will happen")).to_contain_text("t_ship#0")
    page.get_by_role("button", name="Skip t_charge#0").click()

    expect(page.get_by_role("row", name="t_charge#0")).to_contain_text("skipped")
    assert _instance(settings, "order-2", "t_ship#0")["kwargs"] == {"t_charge": {"paid": True}}
    page.goto(f"{console}/sessions/order-2/instances/t_charge%230/replay")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert")).to_contain_text("in skipped state cannot be replayed")
    page.close()


def test_a_form_that_is_sent_twice_acts_once(console: str, settings: Settings, page: Page) -> None:
    page.goto(f"{console}/sessions/order-2/instances/t_charge%230/replay")
    page.get_by_role("button", name="Preview").click()
    again = page.context.new_page()
    again.goto(f"{console}/sessions/order-2/instances/t_charge%230/replay")
    fields = page.locator("main form").evaluate("form => Object.fromEntries(new FormData(form))")
    page.get_by_role("button", name="Replay t_charge#0").click()
    expect(page.get_by_role("status", name="Result")).to_contain_text("ada replayed t_charge#0")

    sent = page.context.request.post(
        f"{console}/sessions/order-2/instances/t_charge%230/replay", form=fields, max_redirects=0
    )

    assert sent.status == 303
    assert len(_operations(settings, "order-2")) == 1
    again.get_by_role("button", name="Preview").click()
    expect(again.get_by_role("alert")).to_contain_text("in replayed state cannot be replayed")


def test_the_status_of_an_instance_is_set(console: str, settings: Settings, page: Page) -> None:
    page.goto(f"{console}/sessions/order-3")
    page.get_by_role("row", name="t_charge#0").get_by_role("link", name="Set status").click()
    page.get_by_label("Status", exact=True).fill("finished")
    page.get_by_label("Metadata to add").fill('{"by": "hand"}')
    page.get_by_label("Fire t_charge").check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Set the status of t_charge#0").click()

    expect(page.get_by_role("row", name="t_ship#0")).to_contain_text("scheduled")
    found = _instance(settings, "order-3", "t_charge#0")
    assert (found["status"], found["metadata"]["by"]) == ("finished", "hand")


def test_scopes_decide_which_buttons_there_are_and_the_actor_is_recorded(
    shop: Application, settings: Settings, tmp_path: Path, browser: Browser
) -> None:
    assert shop
    tokens = {scope: make_token() for scope in (Scope.READ, Scope.OPERATE, Scope.ADMIN)}
    lines = ";".join(token_line(f"{scope}-jane", frozenset({scope}), token) for scope, token in tokens.items())
    with console_server(settings, tmp_path, TRIGGERS_API_TOKENS=lines) as url:
        buttons = {scope: _visit(browser, url, token) for scope, token in tokens.items()}

    assert buttons == {
        Scope.READ: [],
        Scope.OPERATE: ["Replay", "Skip", "Set status"] * 2,
        Scope.ADMIN: ["Delete…", "Set status", "Cancel", "Set status"],
    }
    assert [event.actor for event in _operations(settings, "order-1")] == ["operate-jane"]


def _visit(browser: Browser, url: str, token: str) -> list[str]:
    """Logs in, opens an order, and replays it as far as there is a button. Returns the buttons that there were."""
    page = browser.new_page()
    page.set_default_timeout(90_000)
    page.goto(f"{url}/sessions/order-1")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("order-1")
    found = page.locator("main a.button").all_inner_texts()
    if "Replay" in found:
        page.get_by_role("region", name="t_charge#0 failed").get_by_role("link", name="Replay").click()
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Replay t_charge#0").click()
        expect(page.get_by_role("status", name="Result")).to_contain_text("operate-jane replayed t_charge#0")
    form = page.context.request.get(f"{url}/sessions/order-1/delete")
    assert form.status == (200 if "Delete…" in found else 403)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    page.close()
    return found


@pytest.mark.parametrize("options", [("--read-only",), ("--host", "0.0.0.0")])  # noqa: S104  # others can reach it
def test_a_console_that_only_shows_has_no_button_and_no_form(
    shop: Application, settings: Settings, tmp_path: Path, page: Page, options: tuple[str, ...]
) -> None:
    assert shop
    with console_server(settings, tmp_path, *options) as address:
        url = address.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  # the address of this machine
        page.goto(f"{url}/sessions/order-1")
        expect(page.get_by_role("row", name="t_charge#0")).to_contain_text("card <4242>")
        expect(page.locator("main a.button, main form[method=post]")).to_have_count(0)
        form = page.context.request.get(f"{url}/sessions/order-1/instances/t_charge%230/replay")

    assert form.status == 404
    assert _operations(settings, "order-1") == []
