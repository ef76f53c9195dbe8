"""A request is taken by the operation of its method and path, and by Starlette if it has none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from triggers.api.call import Call
from triggers.api.operation_routes import OperationRoutes
from triggers.api.operations import Operation


async def unused(_: Call) -> Response:
    """The handler of all operations of these tests; `respond` answers instead of the guard that would call it."""
    raise NotImplementedError


async def respond(request: Request, operation: Operation) -> Response:
    names = dict(request.path_params)
    return PlainTextResponse(f"{operation.method} {operation.path} {names}")


async def otherwise(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("another application")(scope, receive, send)


def operation(method: str, path: str) -> Operation:
    return Operation(
        method=method, path=path, handler=unused, scope=None, tag="t", summary="s", responses={}, problems=()
    )


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    operations = [
        operation("POST", "/v1/jobs/preview"),
        operation("GET", "/v1/jobs/{job}"),
        operation("DELETE", "/v1/jobs/{job}"),
        operation("GET", "/v1/sessions/{uid}/instances/{instance}"),
    ]
    routes = OperationRoutes(operations, respond, otherwise)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"request_id": "r-1"}
        await routes(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        yield client


async def test_parameters_are_whole_segments(client: httpx.AsyncClient) -> None:
    taken = await client.get("/v1/sessions/a.b/instances/t+1")
    longer = await client.get("/v1/sessions/a.b/instances/t+1/more")

    assert taken.text == "GET /v1/sessions/{uid}/instances/{instance} {'uid': 'a.b', 'instance': 't+1'}"
    assert longer.text == "another application"


async def test_a_path_that_two_patterns_match_is_taken_by_the_one_with_the_method(client: httpx.AsyncClient) -> None:
    preview, job = await client.post("/v1/jobs/preview"), await client.get("/v1/jobs/preview")

    assert preview.text == "POST /v1/jobs/preview {}"
    assert job.text == "GET /v1/jobs/{job} {'job': 'preview'}"


async def test_head_is_responded_as_get(client: httpx.AsyncClient) -> None:
    assert (await client.head("/v1/jobs/7")).status_code == 200


async def test_a_method_that_no_operation_of_the_path_has_is_refused_with_those_that_are_allowed(
    client: httpx.AsyncClient,
) -> None:
    response = await client.put("/v1/jobs/preview")

    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, HEAD, POST"
    assert response.json()["request_id"] == "r-1"
