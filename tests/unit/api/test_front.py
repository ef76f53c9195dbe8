"""What every request gets, whether it is the API's or a page's beside it: an id, headers, a log line, no traceback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from triggers.api.application import application
from triggers.api.authentication import Authentication
from triggers.api.services import Services
from triggers.settings import Settings


async def greet(request: Request) -> Response:
    """A page beside the API, with a policy of its own."""
    own = {"Content-Security-Policy": "default-src 'self'"}
    return PlainTextResponse(f"hello {request.path_params['name']}", headers=own)


async def fail(_: Request) -> Response:
    """A page with a bug."""
    raise RuntimeError("a secret of the inside")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    pages = [Route("/pages/{name}", greet), Route("/broken", fail)]
    app = application(Services(Settings(brokers="127.0.0.1:1")), Authentication([]), mounted=pages)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_a_mounted_page_has_an_id_and_keeps_its_own_headers(client: httpx.AsyncClient) -> None:
    response = await client.get("/pages/a%20b", headers={"x-request-id": "r-1"})

    assert response.text == "hello a b"
    assert response.headers["x-request-id"] == "r-1"
    assert response.headers["content-security-policy"] == "default-src 'self'"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_bug_is_logged_and_reported_without_its_message(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        response = await client.get("/broken")

    assert response.status_code == 500
    assert response.json()["type"].endswith(":internal")
    assert "secret" not in response.text
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["a request failed"]


async def test_a_path_and_a_method_that_do_not_exist_are_problems(client: httpx.AsyncClient) -> None:
    nothing, wrong = await client.get("/v2/sessions"), await client.put("/v1/events")

    assert nothing.json()["type"].endswith(":no-such-path")
    assert wrong.json()["type"].endswith(":method-not-allowed")
    assert wrong.headers["allow"] == "POST"


async def test_the_document_and_the_health_need_no_token(client: httpx.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json()["openapi"] == "3.1.0"
    assert (await client.head("/health")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"idempotency-key": "a\tb"}, b"", 400),
        ({"idempotency-key": "x" * 256}, b"", 400),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"{}", 415),
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b'{"kwargs": {"a": 1, "a": 2}}', 400),
        ({"content-type": "application/json"}, b'{"kwargs": {}, "unknown": 1}', 400),
        ({"content-type": "application/json"}, b'{"time": "2024-01-01T00:00:00"}', 400),
        ({"content-type": "application/json"}, b'{"kwargs": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}", 400),
        ({"content-type": "application/json"}, b'{"kwargs": {"a": "' + b"x" * 950_000 + b'"}}', 413),
    ],
)
async def test_what_cannot_be_published_is_refused_before_a_broker_is_needed(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    response = await client.post("/v1/sessions/s/triggers/t", content=body, headers=headers)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
