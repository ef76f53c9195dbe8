"""Jobs over HTTP: a preview, a job that runs in the server, its items, repeated requests, and scopes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from tests.support.api_server import api_server
from tests.support.program import run
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.api.identity import Scope
from triggers.api.tokens import token_line
from triggers.settings import Settings

pytestmark = pytest.mark.broker

RULES = {"t_ship": {"after": ["paid"], "run": "ship"}}
TOKENS = {"jane": Scope.OPERATE, "root": Scope.ADMIN}
SESSIONS = 6
GROUPS = ("replayed", "repeated", "deleted", "cancelled")


@pytest.fixture(scope="module")
def installation(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Groups of six sessions whose instance has failed; the groups have UIDs of their own."""
    folder = tmp_path_factory.mktemp("jobs")
    settings = Settings(
        brokers=broker, namespace=f"job{folder.parent.name}{folder.name}".replace("-", ""), partitions=2,
        data_dir=folder / "data", web_port=0, read_timeout_s=60.0, publish_timeout_s=60.0,
    )  # fmt: skip
    assert run(settings, "topics", "create", "--partitions", "2").returncode == 0
    application = Application(settings)
    for uid in (f"{group}-{number}" for group in GROUPS for number in range(SESSIONS)):
        application.fire(uid, {"configuration": RULES})
        application.fire(uid, {"trigger": "paid", "kwargs": {"amount": 3}})
        application.fire(uid, {"type": "failed", "instance": "t_ship#0", "exception_type": "shop.Declined"})
    application.flush()
    with WorkerProcess(settings, "jobs") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        yield settings


@pytest.fixture(scope="module")
def clients(installation: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx.Client]]:
    folder = tmp_path_factory.mktemp("server")
    tokens = folder / "tokens"
    tokens.write_text("\n".join(token_line(name, frozenset({scope}), f"trg_{name}") for name, scope in TOKENS.items()))
    with api_server(installation, folder, "--token-file", str(tokens)) as (url, _), ExitStack() as stack:
        yield {name: stack.enter_context(_client(url, f"trg_{name}")) for name in TOKENS}


def _client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=120)


def body_of(action: str, prefix: str, **more: object) -> dict[str, object]:
    return {"action": action, "where": {"prefix": prefix, "exception": "Declined"}, **more}


def finished_job(client: httpx.Client, job: str) -> Any:  # noqa: ANN401  # JSON
    wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["job"]["is_finished"], f"job {job} is finished")
    return client.get(f"/v1/jobs/{job}").json()


def test_a_job_replays_the_instances_that_its_preview_has_counted(clients: dict[str, httpx.Client]) -> None:
    jane = clients["jane"]
    body = body_of("replay", "replayed-", kwargs={"paid": {"amount": 4}}, max_items=SESSIONS)

    preview = jane.post("/v1/jobs/preview", json=body).json()
    created = jane.post("/v1/jobs", json=body)

    assert (preview["items"], preview["groups"][0]["reason"]) == (SESSIONS, "shop.Declined:")
    assert (created.status_code, created.json()["actor"]) == (202, "jane")
    job = finished_job(jane, created.json()["id"])
    assert job["job"]["counts"]["applied"] == SESSIONS
    assert [(each["session"], each["replays"]) for each in job["items"]] == [
        (f"replayed-{number}", ["t_ship#1"]) for number in range(SESSIONS)
    ]
    session = "/v1/sessions/replayed-3"
    assert jane.get(f"{session}/instances/t_ship%231").json()["kwargs"] == {"paid": {"amount": 4}}
    last = jane.get(f"{session}/timeline").json()["events"][-1]
    assert (last["type"], last["actor"]) == ("replay", "jane")


def test_a_repeated_request_finds_the_job_of_the_first_one(clients: dict[str, httpx.Client]) -> None:
    jane, key = clients["jane"], {"Idempotency-Key": "repair-1"}

    first = jane.post("/v1/jobs", json=body_of("skip", "repeated-"), headers=key).json()
    finished_job(jane, first["id"])
    second = jane.post("/v1/jobs", json=body_of("skip", "repeated-"), headers=key).json()
    resumed = jane.post(f"/v1/jobs/{first['id']}/resume")
    others = [
        jane.post("/v1/jobs", json=body_of(*each), headers=key) for each in (("skip", "r"), ("replay", "repeated-"))
    ]

    assert [(each.status_code, each.json()["type"].rpartition(":")[2]) for each in others] == [(422, "key-reused")] * 2
    assert (second["id"], second["counts"]["applied"]) == (first["id"], SESSIONS)
    assert (resumed.status_code, resumed.json()["is_finished"]) == (202, True)
    pages = [jane.get(f"/v1/jobs/{first['id']}?limit=4&first={n}").json() for n in (0, 4)]
    assert [(len(page["items"]), page["next"]) for page in pages] == [(4, 4), (2, None)]
    assert jane.get(f"/v1/jobs/{first['id']}?state=refused").json()["items"] == []
    assert first["id"] in [job["id"] for job in jane.get("/v1/jobs").json()["jobs"]]


def test_deleting_many_needs_the_same_scope_as_deleting_one(clients: dict[str, httpx.Client]) -> None:
    jane, root = clients["jane"], clients["root"]
    body = body_of("delete", "deleted-", rate=1)

    refused = [jane.post(path, json=body).status_code for path in ("/v1/jobs", "/v1/jobs/preview")]
    created = root.post("/v1/jobs", json=body).json()
    resumed = jane.post(f"/v1/jobs/{created['id']}/resume").status_code

    assert (refused, resumed) == ([403, 403], 403)
    assert finished_job(root, created["id"])["job"]["counts"]["applied"] == SESSIONS
    assert jane.get("/v1/sessions/deleted-2").status_code == 404


def test_a_job_that_is_cancelled_says_what_it_has_not_done(clients: dict[str, httpx.Client]) -> None:
    jane = clients["jane"]
    created = jane.post("/v1/jobs", json=body_of("skip", "cancelled-", rate=0.01)).json()
    job = f"/v1/jobs/{created['id']}"
    wait_until(lambda: jane.get(job).json()["job"]["counts"]["applied"] == 1, "the first item is done")

    cancelled = jane.post(f"{job}/cancel")
    again = jane.post(f"{job}/cancel")

    assert (cancelled.status_code, cancelled.json()["is_finished"]) == (200, True)
    assert again.json() == cancelled.json()
    items = jane.get(f"{job}?state=cancelled").json()["items"]
    assert [each["detail"] for each in items] == ["the job was cancelled by jane"] * (SESSIONS - 1)
    assert jane.get("/v1/sessions/cancelled-5/instances/t_ship%230").json()["status"] == "failed"
    assert jane.post("/v1/jobs/none/cancel").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (body_of("replay", "deleted-", max_items=0), 400, "max_items"),
        ({"action": "replay", "where": {}}, 400, "the filter is empty"),
        ({"action": "replay", "where": {"statos": "failed"}}, 400, "statos"),
        (body_of("replay", "replayed-", cascade=True), 400, "cascade is an option of skip"),
        (body_of("cancel", "replayed-"), 400, "skip or replay failed ones"),
    ],
)
def test_contradictory_options_of_a_job_are_a_problem(
    clients: dict[str, httpx.Client], body: dict[str, object], status: int, told: str
) -> None:
    response = clients["jane"].post("/v1/jobs", json=body)

    assert (response.status_code, told in response.json()["detail"]) == (status, True), response.text


def test_a_job_is_refused_if_more_matches_than_was_counted(clients: dict[str, httpx.Client]) -> None:
    response = clients["root"].post("/v1/jobs", json={"action": "delete", "where": {"prefix": "re"}, "max_items": 5})

    assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (409, "conflict")


def test_open_dead_letters_are_redriven_and_discarded_by_jobs(
    clients: dict[str, httpx.Client], installation: Settings
) -> None:
    jane = clients["jane"]
    application = Application(installation)
    for number in range(3):
        application.fire(f"letter-{number}", {"type": "misspelt"})
    application.flush()
    letters = {"prefix": "letter-", "reason": "unknown event"}
    wait_until(lambda: len(jane.get("/v1/dead-letters", params=letters).json()["dead_letters"]) == 3, "dead letters")

    preview = jane.post("/v1/jobs/preview", json={"action": "redrive", "letters": letters}).json()
    created = jane.post("/v1/jobs", json={"action": "redrive", "letters": letters})

    assert (preview["items"], preview["letters"], preview["sample"][0]["reason"]) == (3, letters, "unknown event")
    assert (created.status_code, created.json()["letters"]) == (202, letters)
    job = finished_job(jane, created.json()["id"])
    assert job["job"]["counts"]["applied"] == 3
    assert {each["detail"] for each in job["items"]} == {"redriven"}
    assert all(each["partition"] is not None for each in job["items"])
    wait_until(
        lambda: len(jane.get("/v1/dead-letters", params=letters).json()["dead_letters"]) == 3, "they are bad still"
    )
    discarded = jane.post("/v1/jobs", json={"action": "discard", "letters": letters}).json()
    assert finished_job(jane, discarded["id"])["job"]["counts"]["applied"] == 3
    assert jane.get("/v1/dead-letters", params=letters).json()["dead_letters"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"action": "redrive", "letters": {}}, "the filter is empty"),
        ({"action": "discard"}, "the filter is empty"),
        ({"action": "redrive", "where": {"prefix": "a"}}, "write `letters`"),
        ({"action": "replay", "letters": {"prefix": "a"}}, "write `where`"),
        ({"action": "replay", "where": {"prefix": "a"}, "rules": "orders"}, "rules is an option of adopt"),
        ({"action": "adopt", "where": {}, "rules": "orders"}, "the filter is empty"),
        ({"action": "redrive", "letters": {"reasons": "x"}}, "unknown field"),
    ],
)
def test_a_filter_that_is_empty_or_about_something_else_is_refused(
    clients: dict[str, httpx.Client], body: dict[str, object], words: str
) -> None:
    refused = clients["jane"].post("/v1/jobs/preview", json=body)

    assert refused.status_code == 400
    assert words in refused.json()["detail"]


def test_sessions_adopt_published_rules_alone_and_by_a_job(clients: dict[str, httpx.Client]) -> None:
    jane, root = clients["jane"], clients["root"]
    rules = {"configuration": RULES, "match": ["adopting-*"]}
    assert root.post("/v1/rules/adopted", json=rules).json()["version"] == 1
    sessions = [f"/v1/sessions/adopting-{number}" for number in range(4)]
    for session in sessions:
        assert root.post(f"{session}/triggers/known", json={}).status_code == 202
    wait_until(lambda: all(jane.get(each).status_code == 200 for each in sessions), "the sessions are there")
    later = {"configuration": {"t_send": {"after": ["paid"], "run": "send"}}, "match": ["adopting-*"]}
    assert root.post("/v1/rules/adopted", json=later).json()["version"] == 2

    one = jane.post("/v1/sessions/adopting-0/rules", json={"rules": "adopted"}, headers={"Idempotency-Key": "adopt-1"})
    unknown = jane.post("/v1/sessions/adopting-0/rules", json={"rules": "adopted", "version": 9})
    created = jane.post("/v1/jobs", json={"action": "adopt", "rules": "adopted", "where": {"prefix": "adopting-"}})

    assert (one.status_code, unknown.status_code) == (200, 404)
    job = finished_job(jane, created.json()["id"])
    assert (job["job"]["change"]["version"], job["job"]["counts"]["applied"]) == (2, 3)
    versions = [jane.get(each).json()["rules"]["version"] for each in sessions]
    assert versions == [2, 2, 2, 2]
    last = jane.get("/v1/sessions/adopting-0/timeline").json()["events"][-1]
    assert (last["type"], last["actor"]) == ("adopt", "jane")
