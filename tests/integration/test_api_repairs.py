"""Operators repair sessions over HTTP: checked first, applied when it is answered, recorded with their actor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.api_server import api_server
from tests.support.program import run, run_json
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.api.identity import Scope
from triggers.api.tokens import token_line
from triggers.settings import Settings

pytestmark = pytest.mark.broker

RULES = {"t_ship": {"after": ["paid"], "run": "ship"}, "t_thank": {"after": ["t_ship"], "run": "thank"}}
INSTANCE = "/instances/t_ship%230"
TOKEN = "trg_of_jane"  # noqa: S105  # a token of this test


@pytest.fixture(scope="module")
def installation(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("repairs")
    settings = Settings(
        brokers=broker, namespace=f"rep{folder.parent.name}{folder.name}".replace("-", ""), partitions=2,
        data_dir=folder / "data", web_port=0, read_timeout_s=60.0, publish_timeout_s=60.0,
    )  # fmt: skip
    assert run(settings, "topics", "create", "--partitions", "2").returncode == 0
    with WorkerProcess(settings, "repairs") as worker:
        worker.wait_ready()
        yield settings


@pytest.fixture(scope="module")
def client(installation: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("server")
    tokens = folder / "tokens"
    tokens.write_text(token_line("jane", frozenset({Scope.ADMIN}), TOKEN))
    headers = {"authorization": f"Bearer {TOKEN}"}
    with (
        api_server(installation, folder, "--token-file", str(tokens)) as (url, _),
        httpx.Client(base_url=url, headers=headers, timeout=120) as client,
    ):
        yield client


@pytest.fixture
def failed(installation: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The path of a session whose instance `t_ship#0` has failed."""
    uid = request.node.name
    lines = (
        {"session": uid, "configuration": RULES},
        {"session": uid, "trigger": "paid", "kwargs": {"amount": 3}},
        {"session": uid, "type": "failed", "instance": "t_ship#0", "attempt": 1, "exception_type": "ValueError"},
    )
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)))
    fired = run_json(installation, "fire", "--from", str(log))
    assert fired["sessions"] == 1
    return f"/v1/sessions/{uid}"


def timeline(client: httpx.Client, session: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = client.get(f"{session}/timeline").json()["events"]
    return events


def wait_for_failure(client: httpx.Client, session: str) -> None:
    wait_until(lambda: client.get(f"{session}{INSTANCE}").json().get("status") == "failed", "t_ship#0 has failed")


def test_a_replay_with_other_kwargs_is_applied_and_has_its_actor(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)

    response = client.post(f"{failed}{INSTANCE}/replay", json={"kwargs": {"paid": {"amount": 4}}})

    assert response.status_code == 200
    assert response.json()["instance"]["status"] == "replayed"
    assert response.json()["replays"] == ["t_ship#1"]
    assert client.get(f"{failed}/instances/t_ship%231").json()["kwargs"] == {"paid": {"amount": 4}}
    last = timeline(client, failed)[-1]
    assert (last["type"], last["actor"], last["what"]) == ("replay", "jane", "jane replayed t_ship#0")


def test_repeating_an_operation_with_its_key_has_no_further_effect(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)

    first, second = (
        client.post(f"{failed}{INSTANCE}/replay", headers={"Idempotency-Key": "repair-1"}) for _ in range(2)
    )
    without_key = client.post(f"{failed}{INSTANCE}/replay")

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert (without_key.status_code, without_key.json()["type"].rpartition(":")[2]) == (409, "wrong-status")
    assert [event["type"] for event in timeline(client, failed)].count("replay") == 1


def test_of_two_operators_at_the_same_moment_one_replays_an_instance(client: httpx.Client, failed: str) -> None:
    """Both find it failed. The second event is refused, whatever status the first one has given the instance."""
    wait_for_failure(client, failed)

    with ThreadPoolExecutor(2) as operators:
        responses = list(operators.map(lambda _: client.post(f"{failed}{INSTANCE}/replay"), range(2)))

    assert sorted(response.status_code for response in responses) == [200, 409]
    assert [event["type"] for event in timeline(client, failed)].count("replay") == 1


def test_a_key_of_another_request_is_refused_and_nothing_is_done(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)
    key = {"Idempotency-Key": "used-once"}
    assert client.post(f"{failed}/triggers/extra", headers=key).status_code == 202
    wait_until(lambda: timeline(client, failed)[-1]["what"] == "extra fired", "the fire is applied")

    refused = [
        client.post(f"{failed}{INSTANCE}/replay", headers=key),
        client.post(f"{failed}/configuration", json=RULES, headers=key),
        client.delete(failed, headers=key),
    ]

    assert [(each.status_code, each.json()["type"].rpartition(":")[2]) for each in refused] == [(422, "key-reused")] * 3
    assert timeline(client, failed)[-1]["what"] == "extra fired"
    assert client.get(f"{failed}{INSTANCE}").json()["status"] == "failed"


def test_a_skip_with_a_result_cascades(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)

    response = client.post(f"{failed}{INSTANCE}/skip", json={"cascade": True, "result": {"parcel": "p"}})

    assert response.json()["instance"]["status"] == "skipped"
    thank = client.get(f"{failed}/instances/t_thank%230").json()
    assert (thank["status"], thank["kwargs"]) == ("scheduled", {"t_ship": {"parcel": "p"}})


def test_a_status_is_set_and_a_wrong_one_is_refused(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)
    path = f"{failed}{INSTANCE}/status"

    assert client.post(path, json={"status": "running"}).status_code == 409
    assert client.post(path, json={"status": "finished"}).json()["instance"]["status"] == "finished"
    assert client.post(path, json={"statos": "finished"}).status_code == 400


def test_an_instance_that_waits_is_cancelled_once(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)
    client.post(f"{failed}{INSTANCE}/replay")

    first = client.post(f"{failed}/instances/t_ship%231/cancel")
    second = client.post(f"{failed}/instances/t_ship%231/cancel")

    assert (first.status_code, first.json()["instance"]["status"]) == (200, "skipped")
    assert second.status_code == 409
    assert timeline(client, failed)[-1]["what"] == "jane cancelled t_ship#1"


def test_rules_are_validated_before_they_are_published(client: httpx.Client, failed: str) -> None:
    assert client.post(f"{failed}/configuration", json={"t_new": {"after": 5}}).status_code == 422
    response = client.post(f"{failed}/configuration", json={"t_new": {"after": ["x"], "run": "new"}})

    assert response.status_code == 200
    assert "t_new" in [task["name"] for task in client.get(failed).json()["tasks"]]


def test_a_deleted_session_is_gone(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)

    assert client.delete(failed).status_code == 200

    assert client.get(failed).json()["type"].rpartition(":")[2] == "session-not-found"
    assert client.delete(failed).status_code == 404


def test_the_command_line_sends_its_own_actor(installation: Settings, client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)
    uid = failed.rpartition("/")[2]

    assert run(installation, "skip", uid, "t_ship#0", TRIGGERS_ACTOR="joe@desk").returncode == 0

    wait_until(lambda: timeline(client, failed)[-1]["type"] == "skip", "the skip is applied")
    assert timeline(client, failed)[-1]["actor"] == "joe@desk"
    explained = run_json(installation, "explain", uid)["events"][-1]["event"]["what"]
    assert explained == "joe@desk skipped t_ship#0"


def test_failed_sessions_are_found_by_their_reason(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)
    uid = failed.rpartition("/")[2]

    page = client.get("/v1/sessions", params={"status": "failed", "prefix": uid, "exception": "ValueError"}).json()

    assert [session["uid"] for session in page["sessions"]] == [uid]
    assert client.get("/v1/failures").json()["groups"][0]["exception"] == "ValueError"
    counts = client.get("/v1/counts", params={}).json()["counts"]
    assert any(each["task"] == "t_ship" and each["status"] == "failed" for each in counts)


def test_a_misspelt_status_is_refused_instead_of_finding_nothing(client: httpx.Client, failed: str) -> None:
    wait_for_failure(client, failed)

    searched = client.get("/v1/sessions", params={"status": "Failed"})
    listed = client.get(f"{failed}/instances", params={"status": "typo"})

    assert searched.status_code == listed.status_code == 400
    assert "status is 'Failed', which no instance has; it must be one of unstarted" in searched.json()["detail"]
    assert "status is 'typo', which no instance has" in listed.json()["detail"]
    assert client.get(f"{failed}/instances", params={"status": "expired"}).json() == {"instances": []}


def test_locked_rules_allow_no_update_of_a_session(client: httpx.Client) -> None:
    body = {"configuration": RULES, "match": ["locked-*"], "locked": True}
    assert client.post("/v1/rules/locked", json=body).json()["changed"]
    assert client.post("/v1/sessions/locked-1/triggers/paid").status_code == 202
    wait_until(lambda: client.get("/v1/sessions/locked-1").status_code == 200, "the session has begun")

    refused = client.post("/v1/sessions/locked-1/configuration", json={"t_new": {"after": ["x"], "run": "new"}})

    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "conflict")
    assert client.get("/v1/dead-letters", params={"prefix": "locked-"}).json()["dead_letters"] == []


def test_published_rules_have_versions_and_their_publisher(client: httpx.Client) -> None:
    body = {"configuration": RULES, "match": ["repaired-*"]}

    published = [client.post("/v1/rules/shipping", json=body).json() for _ in range(2)]
    shown = client.get("/v1/rules/shipping").json()

    assert [(each["version"], each["changed"]) for each in published] == [(1, True), (1, False)]
    assert (shown["version"], shown["actor"], shown["configuration"]) == (1, "jane", RULES)
    assert client.post("/v1/rules/shipping", json={"configuration": {"t": {"after": 1}}}).status_code == 422
    assert client.get("/v1/rules/unknown").status_code == 404
