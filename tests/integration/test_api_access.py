"""Who may do what over HTTP, and what hostile clients get: every operation, every scope, a real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.api_calls import ApiCall, documented_calls
from tests.support.api_server import api_server
from tests.support.program import Program, run

from triggers.api.guarded_protocol import HEAD_TIMEOUT_S
from triggers.api.identity import Principal, Scope
from triggers.api.tokens import token_line
from triggers.settings import Settings

pytestmark = pytest.mark.broker

CALLS = documented_calls()
TOKENS = {scope.value: f"trg_secret_of_{scope}" for scope in Scope}
MAX_BODY = 20_000
BODY_TIMEOUT_S = 1.0
FORGED = "trg_forged"


@pytest.fixture(scope="module")
def server(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Program]]:
    """An API with a token for each scope, over an installation without workers."""
    folder = tmp_path_factory.mktemp("access")
    settings = Settings(
        brokers=broker, namespace=f"acc{folder.parent.name}{folder.name}".replace("-", ""), partitions=1,
        data_dir=folder / "data", read_timeout_s=0.2, publish_timeout_s=60.0,
    )  # fmt: skip
    assert run(settings, "topics", "create", "--partitions", "1").returncode == 0
    tokens = folder / "tokens"
    lines = [token_line(name, frozenset({Scope(name)}), token) for name, token in TOKENS.items()]
    limited = token_line("limited", frozenset({Scope.INGEST}), "trg_limited", 1)
    tokens.write_text("\n".join([*lines, limited]))
    variables = {
        "TRIGGERS_API_MAX_BODY_BYTES": str(MAX_BODY),
        "TRIGGERS_API_BODY_TIMEOUT_S": str(BODY_TIMEOUT_S),
        "TRIGGERS_LOG_LEVEL": "DEBUG",
    }
    with api_server(settings, folder, "--token-file", str(tokens), **variables) as (url, program):
        yield url, program


@pytest.fixture(scope="module")
def client(server: tuple[str, Program]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server[0], timeout=120) as client:
        yield client


def respond(client: httpx.Client, call: ApiCall, token: str | None) -> httpx.Response:
    headers = call.headers | ({} if token is None else {"authorization": f"Bearer {token}"})
    return client.request(call.method, call.path, headers=headers, content=call.body)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
def test_each_operation_needs_its_scope_and_no_other(client: httpx.Client, call: ApiCall) -> None:
    statuses = {name: respond(client, call, token).status_code for name, token in TOKENS.items()}
    without = [respond(client, call, token).status_code for token in (None, FORGED)]

    if call.scope is None:
        assert {*statuses.values(), *without} == {200}
        return
    allowed = {name: Principal(name=name, scopes=frozenset({Scope(name)})).may(Scope(call.scope)) for name in TOKENS}
    assert without == [401, 401]
    assert {name: status not in (401, 403) for name, status in statuses.items()} == allowed
    assert {status for name, status in statuses.items() if not allowed[name]} <= {403}


def test_a_refusal_is_a_problem_with_a_challenge_and_a_request_id(client: httpx.Client) -> None:
    response = client.get("/v1/rules", headers={"x-request-id": "from-the-proxy"})

    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["x-request-id"] == response.json()["request_id"] == "from-the-proxy"


def test_what_a_client_sends_as_a_request_id_cannot_forge_headers_or_log_lines(client: httpx.Client) -> None:
    given = "a b{}<script>" + "x" * 300

    response = client.get("/health", headers={"x-request-id": given})

    assert response.headers["x-request-id"] != given
    assert "<script>" not in str(response.headers)


def test_a_client_beyond_its_rate_learns_when_to_try_again(client: httpx.Client) -> None:
    call = next(call for call in CALLS if call.id.startswith("fire_trigger"))

    responses = [respond(client, call, "trg_limited") for _ in range(3)]

    refused = [response for response in responses if response.status_code == 429]
    assert refused
    assert all(int(response.headers["retry-after"]) >= 1 for response in refused)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/sessions/s/triggers/t"])
@pytest.mark.parametrize("chunked", [True, False])
def test_an_oversized_body_is_refused_in_chunks_as_well(client: httpx.Client, path: str, *, chunked: bool) -> None:
    body = b"[" + b" " * (2 * MAX_BODY)
    content = iter([body[:100], body[100:]]) if chunked else body
    headers = {"authorization": f"Bearer {TOKENS['ingest']}", "content-type": "application/json"}

    response = client.post(path, content=content, headers=headers)

    assert response.status_code == 413
    assert response.headers["connection"] == "close"


def raw_exchange(url: str, *parts: bytes) -> bytes:
    """Sends the parts over a socket and returns everything that the server sends until it disconnects."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def head_of(*lines: str) -> bytes:
    token = f"authorization: Bearer {TOKENS['ingest']}"
    return "\r\n".join(["POST /v1/events HTTP/1.1", "host: x", token, *lines, "", ""]).encode()


def test_a_body_that_does_not_come_is_not_waited_for(server: tuple[str, Program]) -> None:
    started = time.monotonic()

    received = raw_exchange(server[0], head_of("content-type: application/json", "content-length: 100"), b"{")

    assert received.startswith(b"HTTP/1.1 408 ")
    assert BODY_TIMEOUT_S <= time.monotonic() - started < 30


def test_a_head_that_does_not_end_is_not_waited_for(server: tuple[str, Program]) -> None:
    started = time.monotonic()

    assert raw_exchange(server[0], b"GET /health HTTP/1.1\r\nx-slow: ") == b""
    assert HEAD_TIMEOUT_S - 1 < time.monotonic() - started < 60


def test_a_head_without_an_end_is_refused(server: tuple[str, Program]) -> None:
    received = raw_exchange(server[0], b"GET /health HTTP/1.1\r\n", b"x-long: " + b"a" * 66_000)

    assert received.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: b\x00c\r\n\r\n",
        b"GET /health\nHTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/sessions/\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_a_malformed_head_is_refused(server: tuple[str, Program], head: bytes) -> None:
    assert raw_exchange(server[0], head).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/sessions/%FF", 400),
        ("/v1/sessions/%00", 503),
        ("/v1/sessions/" + "a" * 2000, 400),
        ("/v1/sessions//triggers/x", 404),
        ("/v1/sessions/..%2F..%2Fetc%2Fpasswd", 503),
        ("/v1/../health", 404),
        ("/v1/sessions?limit=1&limit=2", 400),
        ("/v1/sessions?limit=%31%30%30%31", 400),
        ("/v1/sessions?prefix=%FF", 400),
        ("/v1/sessions?" + "&".join(f"a{n}=1" for n in range(100)), 400),
        ("/static/../../etc/passwd", 404),
    ],
)
def test_paths_and_queries_cannot_be_abused(server: tuple[str, Program], path: str, status: int) -> None:
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKENS['read']}\r\nconnection: close\r\n\r\n"

    assert raw_exchange(server[0], head.encode()).startswith(f"HTTP/1.1 {status} ".encode())


def test_no_token_and_no_traceback_is_in_the_log_or_in_a_response(
    server: tuple[str, Program], client: httpx.Client
) -> None:
    responses = [respond(client, call, TOKENS["admin"]) for call in CALLS if call.method == "GET"]
    client.get("/v1/rules", headers={"authorization": f"Bearer {FORGED}"})

    texts = [server[1].text, *(response.text for response in responses)]
    assert all(token not in text for token in (*TOKENS.values(), FORGED) for text in texts)
    assert all("Traceback" not in text and 'File "' not in text for text in texts)
    assert "path=/v1/rules" in server[1].text
