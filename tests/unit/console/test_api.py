"""The HTTP API over a recorded log returns what the analyses return."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from tests.support.console_client import ConsoleClient, console
from tests.support.console_log import HOSTILE, MADE_MS, RULES, log_events

from triggers.analysis.explain.proofs import explain
from triggers.analysis.time_travel import Moment, view_at
from triggers.analysis.verify.capsules import capture
from triggers.console import FileSource
from triggers.core.events import Event


@pytest.fixture
async def client() -> AsyncIterator[ConsoleClient]:
    async with console(FileSource(log_events())) as client:
        yield client


def _log(uid: str) -> list[Event]:
    return [event for session, event in log_events() if session == uid]


def _plain(value: object) -> Any:  # noqa: ANN401  # any JSON
    return msgspec.json.decode(msgspec.json.encode(value))


async def _get(client: ConsoleClient, path: str, status: int = 200) -> Any:  # noqa: ANN401  # any JSON
    response = await client.get(path)
    assert response.status_code == status, response.text
    return response.json()


async def _post(client: ConsoleClient, path: str, body: object, status: int = 200) -> Any:  # noqa: ANN401
    response = await client.post(path, json.dumps(body).encode())
    assert response.status_code == status, response.text
    return response.json()


async def test_sessions_are_listed_by_uid_and_prefix(client: ConsoleClient) -> None:
    every = (await _get(client, "/api/sessions"))["sessions"]
    some = (await _get(client, "/api/sessions?prefix=s-&limit=1"))["sessions"]

    assert [one["uid"] for one in every] == [HOSTILE, "s-done", "s-stuck"]
    assert [one["uid"] for one in some] == ["s-done"]
    assert (every[1]["created"], every[1]["modified"]) == (MADE_MS + 10_000, MADE_MS + 16_000)
    assert [every[1][name] for name in ("events", "instances", "unresolved")] == [7, 2, 1]


@pytest.mark.parametrize("uid", ["s-done", "s-stuck", HOSTILE])
async def test_a_session_and_its_explanation_are_those_of_the_fold(client: ConsoleClient, uid: str) -> None:
    path = f"/api/sessions/{quote(uid, safe='')}"

    assert await _get(client, path) == _plain(view_at(uid, _log(uid)))
    assert await _get(client, f"{path}/explanation") == _plain(explain(uid, _log(uid)))
    assert await _get(client, f"{path}/explanation?task=t_report") == _plain(explain(uid, _log(uid), "t_report"))


async def test_the_past_is_the_fold_up_to_there(client: ConsoleClient) -> None:
    log = _log("s-done")

    at_offset = await _get(client, "/api/sessions/s-done?at=12")
    at_time = await _get(client, f"/api/sessions/s-done?at={quote('2026-09-21T14:13:32Z')}")
    changes = (await _get(client, "/api/sessions/s-done/changes?from=12&to=13"))["changes"]

    assert at_offset == _plain(view_at("s-done", log, Moment(offset=12)))
    assert at_time == _plain(view_at("s-done", log, Moment(time=MADE_MS + 12_000)))
    status = next(change for change in changes if change["path"] == "instances t_import#0 status")
    assert status == {"path": "instances t_import#0 status", "before": "unstarted", "after": "scheduled"}


async def test_causes_are_returned_and_drawn(client: ConsoleClient) -> None:
    found = await _get(client, "/api/sessions/s-done/causes?instance=t_report%230")
    drawn = {
        name: (await client.get(f"/api/sessions/s-done/graph?format={name}")).text for name in ("svg", "mermaid", "dot")
    }

    assert [one["name"] for one in found["instances"]] == ["t_import#0", "t_report#0"]
    assert drawn["svg"].startswith("<svg ")
    assert "t_report" not in (await client.get("/api/sessions/s-done/graph?instance=t_import%230")).text
    assert drawn["mermaid"].startswith("flowchart ")
    assert drawn["dot"].startswith("digraph ")


async def test_a_capsule_has_the_bytes_of_capture_and_verifies(client: ConsoleClient) -> None:
    for asked in ("mask=by&mask=rows", "mask=by%0D%0Arows%0D%0A"):
        response = await client.get(f"/api/sessions/s-done/capsule?{asked}")
        body = response.content
        assert response.headers["Content-Disposition"] == 'attachment; filename="s-done.capsule.json"'
        assert body == capture("s-done", _log("s-done"), ["by", "rows"])

    capsule = json.loads(body)
    assert (await _post(client, "/api/verify", capsule))["differences"] == []
    capsule["steps"][3]["decision"]["outcome"] = "ignored"
    assert len((await _post(client, "/api/verify", capsule))["differences"]) == 1


async def test_statistics_count_the_whole_log(client: ConsoleClient) -> None:
    found = await _get(client, "/api/statistics?stuck_after=1s")

    assert {row["task"]: row["runs"] for row in found["rules"]} == {"t_import": 1, "t_report": 1}
    assert [(row["task"], row["missing"]) for row in found["stuck"]] == [("t_import", ["complete"]), ("t_report", [])]


async def test_rules_are_checked_and_drawn(client: ConsoleClient) -> None:
    rules = {"t_a": {"afer": ["x"], "run": "app.A"}}
    found = await _post(client, "/api/check", rules)
    declared = await _post(client, "/api/check?trigger=page", RULES)
    response = await client.post("/api/graph?format=dot", json.dumps(RULES).encode())
    drawn = response.text

    assert "rename 'afer' to 'after'" in {one["fix"] for one in found["findings"]}
    assert "unproduced-trigger" in {one["rule"] for one in declared["findings"]}
    assert "app.Import" in drawn


async def test_the_orders_of_named_events_are_explored(client: ConsoleClient) -> None:
    given = [{"trigger": "page", "kwargs": {"n": 2}}, {"trigger": "page", "kwargs": {"n": 1}}]
    events = "&".join(f"event={quote(json.dumps(event))}" for event in given)
    found = await _post(client, f"/api/check?{events}&event=complete&results=any-time", RULES)

    (explored,) = [one for one in found["orders"] if one["task"] == "t_import"]
    assert (len(explored["events"]), explored["exhaustive"]) == (3, True)
    assert "order-sensitive" in {one["rule"] for one in found["findings"] if one["task"] == "t_import"}


async def test_a_file_on_the_server_cannot_be_named_as_a_trigger(client: ConsoleClient) -> None:
    for name in ("trigger", "event"):
        found = await _post(client, f"/api/check?{name}=/etc/passwd", RULES)

        assert not any("root" in one["message"] for one in found["findings"])


async def test_a_back_test_reports_what_would_change(client: ConsoleClient) -> None:
    rules = RULES | {"t_import": {"after": ["page"], "run": "app.Import"}}
    found = await _post(client, "/api/backtest?since=30d", rules)
    same = await _post(client, "/api/backtest?sample=1", RULES)

    assert (found["sessions"], found["changed"]) == (3, 3)
    assert (same["sessions"], same["changed"]) == (1, 0)


async def test_a_back_test_uses_stubs(client: ConsoleClient) -> None:
    rules = RULES | {"t_import": {"after": ["page"], "run": "app.Import"}}
    stub = quote('t_import={"rows": 9}')
    unknown = await _post(client, "/api/backtest", rules)
    stubbed = await _post(client, f"/api/backtest?stub={stub}", rules)

    assert (unknown["results"].get("unknown"), unknown["doubtful"]) == (3, 3)
    assert (stubbed["results"]["stub"], stubbed["doubtful"]) == (3, 0)


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/api/sessions/none", 404, "session 'none'"),
        ("/api/sessions/s-done/explanation?task=t_none", 404, "it has t_import, t_report"),
        ("/api/sessions/s-done/causes?instance=t_none%230", 404, "t_none#0"),
        ("/api/sessions/s-done?at=9", 404, "had no event at that moment"),
        ("/api/sessions/s-done?at=soon", 400, "at: 'soon' is neither an offset nor a time"),
        ("/api/sessions/s-done/changes", 400, "from is missing"),
        ("/api/sessions/s-done/graph?format=png", 400, "'png'; it must be svg, mermaid or dot"),
        ("/api/sessions?limit=0", 400, "limit is 0; it must be from 1 to 1000"),
        ("/api/sessions?limit=x", 400, "limit: invalid literal"),
        ("/api/statistics?stuck_after=5", 400, "stuck_after: '5' is not a duration"),
        ("/api/nothing", 404, "Not Found"),
    ],
)
async def test_a_wrong_request_is_an_error_that_names_the_parameter(
    client: ConsoleClient, path: str, status: int, why: str
) -> None:
    assert why in (await _get(client, path, status))["error"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/api/backtest?stub=t_import", "'t_import' must be a task and its result"),
        ("/api/backtest?stub=t_import=[]", "the result of t_import"),
        ("/api/backtest?stub=t_imprt={}", "no task 't_imprt', so it cannot have a stub; did you mean 't_import'?"),
        ("/api/backtest?since=soon", "since: 'soon' is neither a time such as 2024-03-01 nor a duration"),
        ("/api/backtest?sample=0", "sample is 0; it must be from 1"),
        ("/api/check?results=never", "results: 'never' must be at-once or any-time"),
        ("/api/check?event={x", "{x is not an event"),
        ("/api/check?event={%22type%22:%22delete%22}", "fires no trigger"),
    ],
)
async def test_a_wrong_query_of_a_post_is_an_error_that_names_the_parameter(
    client: ConsoleClient, path: str, why: str
) -> None:
    assert why in (await _post(client, path, RULES, 400))["error"]


async def test_a_capsule_whose_state_is_none_is_refused(client: ConsoleClient) -> None:
    capsule = {"capsule": 1, "session": "s", "masked": [], "steps": [], "view": []}

    assert "$.view" in (await _post(client, "/api/verify", capsule, 400))["error"]


async def test_a_capsule_without_steps_is_refused(client: ConsoleClient) -> None:
    capsule = {"capsule": 1, "session": "s", "masked": [], "steps": [], "view": {}}

    assert "has no steps" in (await _post(client, "/api/verify", capsule, 400))["error"]


@pytest.mark.parametrize("path", ["/api/backtest", "/api/graph", "/api/verify"])
async def test_a_body_that_is_no_json_is_refused(client: ConsoleClient, path: str) -> None:
    response = await client.post(path, b"{nothing")
    assert response.status_code == 400
    assert response.json()["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(client: ConsoleClient, method: str) -> None:
    response = await client.client.request(method, "/api/sessions/s-done")
    assert response.status_code == 405


@pytest.mark.parametrize(
    ("name", "status"), [("localhost:1", 200), ("[::1]:1", 200), ("rebound.example", 403), ("[", 403), ("", 403)]
)
async def test_a_console_on_this_machine_rejects_other_host_names(
    client: ConsoleClient, name: str, status: int
) -> None:
    for path in ("/", "/api/sessions"):
        response = await client.get(path, Host=name)
        assert response.status_code == status
        assert "s-done" in response.text if status == 200 else "s-done" not in response.text


async def test_a_console_on_another_interface_answers_to_every_name() -> None:
    async with console(FileSource(log_events()), is_local=False) as client:
        response = await client.get("/", Host="triggers.example")

    assert response.status_code == 200


class _Watched(FileSource):
    """Counts how many threads read the whole log at the same time, and remembers the maximum."""

    def __init__(self) -> None:
        super().__init__(log_events())
        self.reading = self.maximum = 0

    def read_all(self) -> Iterator[tuple[str, Event]]:
        self.reading += 1
        self.maximum = max(self.maximum, self.reading)
        for item in super().read_all():
            time.sleep(0.002)
            yield item
        self.reading -= 1


async def test_one_question_at_a_time_reads_the_whole_log_and_others_are_answered_meanwhile() -> None:
    source = _Watched()
    async with console(source) as client:
        whole = [asyncio.create_task(_get(client, "/api/statistics")) for _ in range(20)]
        whole += [asyncio.create_task(_post(client, "/api/backtest", RULES)) for _ in range(20)]
        await _get(client, "/api/sessions/s-done")
        waiting = sum(not task.done() for task in whole)
        await asyncio.gather(*whole)

    assert (source.maximum, waiting > 0) == (1, True)
