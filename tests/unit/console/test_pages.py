"""The pages as a browser without scripts receives them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from urllib.parse import quote

import pytest
from httpx import Response
from msgspec.structs import replace
from tests.support.console_client import ConsoleClient, console
from tests.support.console_log import HOSTILE, RULES, log_events
from tests.support.html_text import HtmlText
from tests.support.memory_session import MemorySession

from triggers.analysis.explain.explanation_text import explanation_lines
from triggers.analysis.explain.proofs import explain
from triggers.analysis.verify.capsules import capture
from triggers.console import FileSource
from triggers.core.events import ConfigurationUpdated, Event, TaskFailed, TaskStarted, TimerFired, TriggerFired
from triggers.core.view import SessionSummary
from triggers.errors import OwnerUnavailable


@pytest.fixture
async def client() -> AsyncIterator[ConsoleClient]:
    async with console(FileSource(log_events())) as client:
        yield client


async def _page(client: ConsoleClient, path: str, status: int = 200) -> HtmlText:
    response = await client.get(path)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    return HtmlText(response.text)


async def _sent(client: ConsoleClient, path: str, form: Mapping[str, str]) -> HtmlText:
    response = await client.send_form(path, form)
    assert response.status_code == 200, response.text
    return HtmlText(response.text)


@pytest.mark.parametrize("uid", ["s-done", "s-stuck", HOSTILE])
async def test_a_session_s_page_says_all_that_explain_says(client: ConsoleClient, uid: str) -> None:
    page = await _page(client, f"/sessions/{quote(uid, safe='')}")

    assert [line for line in _said(uid) if line not in page.text] == []
    assert page.scripts == ["/static/console.js", "/static/live.js"]


async def test_the_page_of_a_session_of_edition_2_says_what_its_leaves_miss_and_its_timers_do() -> None:
    session = MemorySession(
        {
            "$edition": 2,
            "t_kyc": {
                "after": [{"any": ["passport", {"trigger": "bill", "when": "kwargs.age < 3"}]}, "address"],
                "run": "app.kyc",
                "deadline": "1h",
            },
        },
        uid="kyc-1",
    )
    session.fire("address")
    session.fire("bill", age=5)
    log = [("kyc-1", event) for event in session.log]

    async with console(FileSource(log)) as client:
        page = await _page(client, "/sessions/kyc-1")
        drawn = (await client.get("/api/sessions/kyc-1/graph")).text

    assert [line for line in _said("kyc-1", log) if line not in page.text] == []
    assert "At 1970-01-01 01:00:02.000 (deadline), it expires." in page.text
    assert [link for link in page.links if "/graph" in link]
    assert "t_kyc#0" in drawn


def _said(uid: str, log: Sequence[tuple[str, Event]] = ()) -> Iterator[str]:
    found = explain(uid, [event for session, event in log or log_events() if session == uid])
    for line in explanation_lines(found):
        text = " ".join(line.strip().removeprefix("+ ").removeprefix("- ").split())
        if text and not text.startswith(("Session ", "What each event did", "offset ")):
            yield text


async def test_every_link_of_every_session_leads_somewhere(client: ConsoleClient) -> None:
    todo, seen = ["/"], set[str]()
    while todo:
        path = todo.pop()
        response = await client.get(path)
        assert response.status_code == 200, path
        found = HtmlText(response.text).links if "text/html" in response.headers["content-type"] else []
        seen.add(path)
        todo += [link for link in found if link not in seen and link not in todo and link != "#main"]

    assert sum(path.startswith("/sessions/") for path in seen) >= 3 + 12  # a page for each session and event
    assert f"/api/sessions/{quote(HOSTILE, safe='')}/causes?at=21" in seen


async def test_the_page_of_a_moment_shows_what_was_and_what_came_later(client: ConsoleClient) -> None:
    page = await _page(client, "/sessions/s-done?at=13")

    assert "the command of t_import#0 is issued" in page.text
    assert "approved fired offset 16" in page.text, "what came later is named"
    assert "approved is missing: an application has to fire it" in page.text
    assert {"/sessions/s-done?at=12", "/sessions/s-done?at=14", "/sessions/s-done"} <= set(page.links)


async def test_the_page_of_a_session_shows_the_message_and_the_traceback_of_an_exception() -> None:
    raised = TaskFailed(
        instance="t_charge#0",
        attempt=1,
        exception_type="shop.Declined",
        exception_message="card <4242>\nwas declined",
        exception_info='Traceback (most recent call last):\n  File "shop.py", line 7\nshop.Declined: card',
    )
    configured = ConfigurationUpdated(configuration=b'{"t_charge": {"after": ["paid"], "run": "shop.charge"}}')
    events: list[Event] = [configured, TriggerFired(trigger="paid"), raised]
    log = [("order-1", replace(event, position=number, time=number)) for number, event in enumerate(events, 1)]

    async with console(FileSource(log)) as client:
        page = await _page(client, "/sessions/order-1")

    assert "shop.Declined : card <4242> was declined" in page.text
    assert 'File "shop.py", line 7' in page.lines


async def test_the_page_of_a_session_shows_all_attempts_with_their_exceptions() -> None:
    retrying = {"after": ["paid"], "run": "shop.charge", "retry": {"attempts": 3, "wait": "1s", "jitter": 0}}
    rules = json.dumps({"$edition": 2, "t_charge": retrying}).encode()
    failed = [
        TaskFailed(
            instance="t_charge#0",
            attempt=number,
            exception_type="shop.Declined",
            exception_message=f"card {number} <b>",
            exception_info=f"Traceback\n  line {number}",
        )
        for number in (1, 2)
    ]
    timers = [TimerFired(instance="t_charge#0", attempt=1, due=2_000, kind="retry")]
    events: list[Event] = [
        ConfigurationUpdated(configuration=rules),
        TriggerFired(trigger="paid"),
        TaskStarted(instance="t_charge#0", attempt=1),
        failed[0],
        *timers,
        failed[1],
    ]
    log = [("order-1", replace(event, position=number, time=1000 * number)) for number, event in enumerate(events, 1)]

    async with console(FileSource(log)) as client:
        page = await _page(client, "/sessions/order-1")

    assert "2 attempts" in page.text
    assert (
        "failed attempt 1 from 1970-01-01 00:00:03.000 to 1970-01-01 00:00:04.000 shop.Declined : card 1 <b>"
        in page.text
    )
    assert "line 1" in page.lines
    assert "card 2 <b>" in page.text


async def test_the_page_of_a_session_lists_the_events_that_changed_nothing(client: ConsoleClient) -> None:
    page = await _page(client, f"/sessions/{quote(HOSTILE, safe='')}")

    assert "Events that changed nothing (1)" in page.text
    assert "unknown fired offset 21" in page.text
    assert "no rule" in page.text


async def test_the_rules_of_a_session_are_drawn_with_what_has_fired(client: ConsoleClient) -> None:
    response = await client.get("/api/sessions/s-stuck/rules-graph")

    assert response.headers["content-type"] == "image/svg+xml"
    for words in (">page<", ">fired<", ">complete<", ">missing<", ">1 unstarted<"):
        assert words in response.text
    assert ">fired<" not in (await client.get("/api/sessions/s-stuck/rules-graph?at=17")).text


async def test_two_moments_are_compared(client: ConsoleClient) -> None:
    page = await _page(client, "/sessions/s-done?from=12&at=15")

    assert "values changed since 12" in page.text
    assert "instances t_import#0 status" in page.text
    assert "instances t_import#0 timestamps finished 2026-09-21 14:13:35.000" in page.text
    assert "/sessions/s-done?at=14&from=12" in page.links, "a step through the past keeps what it is compared with"
    assert "had no event at that moment" in (await _page(client, "/sessions/s-done?from=3", 404)).text


async def test_rules_are_checked(client: ConsoleClient) -> None:
    wrong = await _sent(client, "/rules", {"rules": '{"t_a": {"afer": ["x"], "run": "app.A"}}'})
    right = await _sent(client, "/rules", {"rules": json.dumps({"t_a": {"after": ["x"], "run": "app.A"}})})

    assert "Fix: rename 'afer' to 'after'" in wrong.text
    assert "Nothing is wrong with these rules. Explored every order of arrival for 1 of 1 tasks." in right.text


async def test_rules_are_checked_with_the_triggers_that_the_application_fires(client: ConsoleClient) -> None:
    page = await _sent(
        client, "/rules", {"rules": json.dumps(RULES), "trigger": "page\r\napproved", "results": "any-time"}
    )

    assert "unproduced-trigger" in page.text
    assert "'complete'" in page.text


async def test_statistics_are_counted_only_on_request(client: ConsoleClient) -> None:
    assert "sessions are stuck" not in (await _page(client, "/statistics")).text
    assert "12 events in 3 sessions" in (await _page(client, "/statistics?since=all")).text
    assert "nor a duration" in (await _page(client, "/statistics?since=x", 400)).text


async def test_a_back_test_shows_what_would_change(client: ConsoleClient) -> None:
    rules = json.dumps(RULES | {"t_import": {"after": ["page"], "run": "app.Import"}})
    page = await _sent(client, "/backtest", {"rules": rules, "since": "30d", "sample": "1000"})

    assert "3 sessions folded (12 events): 3 would change" in page.text
    assert "t_import#0 has different kwargs (result: unknown) - complete: {}" in page.text


async def test_a_back_test_shows_how_each_result_is_known(client: ConsoleClient) -> None:
    rules = json.dumps(RULES | {"t_import": {"after": ["page"], "run": "app.Import"}})
    page = await _sent(client, "/backtest", {"rules": rules, "stub": 't_import={"rows": 9}', "reuse": "on"})

    assert "(result: stub)" in page.text
    assert "not judged" not in page.text


async def test_a_capsule_is_a_timeline(client: ConsoleClient) -> None:
    events: list[Event] = [event for session, event in log_events() if session == "s-done"]
    body = capture("s-done", events)

    good = await _opened(client, body)
    bad = await _opened(client, body.replace(b'"outcome":"applied"', b'"outcome":"ignored"', 1))

    assert "The replay gives the same result for each of the 7 events." in good.text
    assert "t_import#0 becomes finished" in good.text
    assert "1 difference" in bad.text


async def test_a_capsule_without_steps_is_refused(client: ConsoleClient) -> None:
    response = await _upload(client, capture("s", []))
    assert response.status_code == 400
    assert "s.capsule.json: the capsule has no steps" in response.text


async def _opened(client: ConsoleClient, body: bytes) -> HtmlText:
    return HtmlText((await _upload(client, body)).text)


async def _upload(client: ConsoleClient, body: bytes) -> Response:
    return await client.send_form("/capsule", {}, files={"capsule": ("s.capsule.json", body)})


@pytest.mark.parametrize(
    ("path", "form", "why"),
    [
        ("/rules", {"rules": " "}, "rules is missing"),
        ("/backtest", {"rules": "{}", "since": "soon"}, "since: 'soon' is neither a time such as"),
        ("/backtest", {"rules": "{}", "sample": "0"}, "sample is 0; it must be from 1"),
        ("/backtest", {"rules": "{"}, "JSON"),
        ("/capsule", {"capsule": "text"}, "capsule is missing"),
    ],
)
async def test_a_form_that_is_wrong_says_so(client: ConsoleClient, path: str, form: dict[str, str], why: str) -> None:
    response = await client.send_form(path, form)
    assert response.status_code == 400
    assert why in HtmlText(response.text).text


class _Away:
    """Workers that do not answer."""

    def list_sessions(self, prefix: str, limit: int) -> list[SessionSummary]:  # noqa: ARG002
        raise OwnerUnavailable("worker http://w:1 does not answer")

    def read_session(self, uid: str) -> list[Event]:
        raise OwnerUnavailable(uid)

    def read_all(self) -> Iterator[tuple[str, Event]]:
        raise OwnerUnavailable


async def test_a_page_says_to_try_again_while_workers_are_unavailable() -> None:
    async with console(_Away()) as client:
        for path, kind in (("/sessions", "text/html"), ("/api/sessions", "application/json")):
            response = await client.get(path)
            assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (503, kind)
            assert response.headers["Retry-After"] == "1"
            assert "worker http://w:1 does not answer" in response.text
