"""The HTTP API on a real Kafka, with a real worker: what is fired is applied, and what is read is what was fired."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.support.api_server import api_server
from tests.support.program import Program, environment, run, run_json
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

RULES = '{"t_ship": {"after": ["paid", "packed"], "run": "ship"}}'
ANY_TEXT = "ö/ä #?%2F;\n\u202e<script>"


@pytest.fixture(scope="module")
def installation(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Topics and a worker, which the tests of this file share; each has sessions of its own."""
    folder = tmp_path_factory.mktemp("api")
    settings = Settings(
        brokers=broker, namespace=f"api{folder.parent.name}{folder.name}".replace("-", ""), partitions=2,
        data_dir=folder / "data", web_port=0, read_timeout_s=60.0, publish_timeout_s=60.0,
    )  # fmt: skip
    assert run(settings, "topics", "create", "--partitions", "2").returncode == 0
    with WorkerProcess(settings, "api") as worker:
        worker.wait_ready()
        yield settings


@pytest.fixture(scope="module")
def client(installation: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        api_server(installation, tmp_path_factory.mktemp("server")) as (url, _),
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def fired(client: httpx.Client, uid: str, trigger: str, **options: Any) -> httpx.Response:
    return client.post(f"/v1/sessions/{quote(uid, safe='')}/triggers/{quote(trigger, safe='')}", **options)


def session_when(client: httpx.Client, uid: str, events: int) -> dict[str, Any]:
    """Returns the session when it has that many events."""
    path = f"/v1/sessions/{quote(uid, safe='')}"
    wait_until(
        lambda: client.get(path).status_code == 200 and client.get(path).json()["events"] >= events,
        f"session {uid!r} has {events} events",
    )
    shown: dict[str, Any] = client.get(path).json()
    return shown


def test_a_fire_is_accepted_with_its_coordinates_and_applied(installation: Settings, client: httpx.Client) -> None:
    assert run(installation, "configure", "o-1", RULES).returncode == 0

    response = fired(client, "o-1", "paid", json={"kwargs": {"amount": 3}, "id": "pay-1"})

    assert response.status_code == 202
    assert response.json() == {"session": "o-1", "id": "pay-1"} | {
        "partition": response.json()["partition"],
        "offset": response.json()["offset"],
    }
    session = session_when(client, "o-1", 2)
    assert session == run_json(installation, "show", "o-1")
    assert session["latest_kwargs"] == {"paid": {"amount": 3}} or session["instances"][0]["kwargs"] == {
        "paid": {"amount": 3}
    }


def test_names_may_be_any_text(client: httpx.Client) -> None:
    for uid in (ANY_TEXT, "a/b", "%2F"):
        assert fired(client, uid, ANY_TEXT).status_code == 202
        assert session_when(client, uid, 1)["uid"] == uid
    assert client.post("/v1/sessions/..;/triggers/.;", json={}).json()["session"] == ".."


def test_repeating_a_request_with_its_key_has_no_effect(client: httpx.Client) -> None:
    for _ in range(3):
        assert fired(client, "o-2", "paid", headers={"Idempotency-Key": '"key-1"'}).json()["id"] == "key-1"

    session_when(client, "o-2", 3)

    outcomes = [event["outcome"] for event in client.get("/v1/sessions/o-2/timeline").json()["events"]]
    assert outcomes == ["unused", "duplicate", "duplicate"]


def test_lines_and_cloud_events_are_applied_in_their_order(client: httpx.Client) -> None:
    lines = "".join(f'{{"session": "o-3", "trigger": "t{n}"}}\n' for n in range(500))

    response = client.post("/v1/events", content=lines, headers={"content-type": "application/x-ndjson"})

    assert response.status_code == 202
    assert len(response.json()["events"]) == 500
    session_when(client, "o-3", 500)
    timeline = client.get("/v1/sessions/o-3/timeline", params={"limit": 300}).json()
    rest = client.get("/v1/sessions/o-3/timeline", params={"after": timeline["next"]}).json()
    assert [event["what"] for page in (timeline, rest) for event in page["events"]] == [
        f"t{n} fired" for n in range(500)
    ]
    assert rest["next"] is None


def test_a_wrong_line_publishes_nothing(client: httpx.Client) -> None:
    body = '{"session": "o-4", "trigger": "a"}\n{"session": "o-4"}\n'

    response = client.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})

    assert (response.status_code, response.json()["errors"][0]["index"]) == (400, 1)
    assert client.get("/v1/sessions/o-4").status_code == 404


def test_an_explanation_is_that_of_the_command_line(installation: Settings, client: httpx.Client) -> None:
    assert run(installation, "configure", "o-5", RULES).returncode == 0
    fired(client, "o-5", "paid")
    session_when(client, "o-5", 2)

    assert client.get("/v1/sessions/o-5/explanation").json() == run_json(installation, "explain", "o-5")


def test_the_lag_and_the_readiness_are_reported(installation: Settings, client: httpx.Client) -> None:
    assert client.get("/ready").status_code == 200
    topics = {row["topic"] for row in client.get("/v1/lag").json()["partitions"]}
    assert topics == {f"{installation.namespace}.events", f"{installation.namespace}.commands"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_stopped_ends_with_0_and_has_published_what_it_accepted(
    installation: Settings, tmp_path: Path, number: int
) -> None:
    command = ("api", "serve", "--port", "0")
    with Program(tmp_path, *command, env=environment(installation)) as program:
        program.wait_for("API at ")
        url = re.findall(r"http://\S+:\d+", program.text)[0]
        uid = f"stopped-{number}"
        assert httpx.post(f"{url}/v1/sessions/{uid}/triggers/t", timeout=60).status_code == 202

        assert program.end(number) == 0

    wait_until(lambda: run(installation, "show", uid).returncode == 0, "the fire is applied")


def test_others_are_not_served_without_tokens(installation: Settings, tmp_path: Path) -> None:
    refused = run(installation, "api", "serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104  # it is refused

    assert refused.returncode == 2
    assert "the API would admit everyone who can reach 0.0.0.0: configure tokens" in refused.stderr
    made = run(installation, "api", "token", "shop", "--scope", "ingest", "--add-to", str(tmp_path / "tokens"))
    token = made.stdout.split()[6]
    with api_server(installation, tmp_path, "--host", "0.0.0.0", "--token-file", str(tmp_path / "tokens")) as (url, _):  # noqa: S104
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url.replace("0.0.0.0", "127.0.0.1"), headers=headers, timeout=120) as client:  # noqa: S104
            assert fired(client, "o-6", "paid").status_code == 202
            assert client.get("/v1/sessions/o-6").status_code == 403
            assert client.get("/v1/sessions/o-6", headers={"authorization": ""}).status_code == 401
