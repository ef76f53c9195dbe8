"""A request has a principal by its token; without tokens, only this machine's own requests have one."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from triggers.api.authentication import Authentication, require_scope
from triggers.api.identity import ANYONE, Principal, Scope
from triggers.api.problems import Kind, ProblemError
from triggers.api.tokens import TokenFile, token_line

TOKEN = "trg_secret"  # noqa: S105  # a token of this test
READ = frozenset({Scope.READ})


def with_tokens() -> Authentication:
    return Authentication([TokenFile(None, token_line("jane", READ, TOKEN))])


async def test_a_valid_token_gives_its_principal() -> None:
    principal = await with_tokens().principal_of(Headers({"authorization": f"bearer  {TOKEN}"}))

    assert principal == Principal(name="jane", scopes=READ)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Basic amFuZTpqYW5l")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer trg_wrong")],
        [(b"authorization", b"Bearer " + 9000 * b"a")],
        [(b"authorization", b"Bearer \xff")],
        [(b"authorization", TOKEN.encode())],
        [(b"authorization", b"Bearer trg_secret"), (b"authorization", b"Bearer trg_secret")],
    ],
)
async def test_any_other_header_is_refused_with_a_challenge(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ProblemError) as raised:
        await with_tokens().principal_of(Headers(raw=headers))

    assert raised.value.kind is Kind.UNAUTHENTICATED
    assert raised.value.headers["WWW-Authenticate"].startswith('Bearer realm="triggers"')


def test_a_missing_scope_is_named() -> None:
    with pytest.raises(ProblemError, match="this needs the scope admin; the token of 'jane' has read"):
        require_scope(Principal(name="jane", scopes=READ), Scope.ADMIN)


@pytest.mark.parametrize("host", ["localhost:6090", "127.0.0.1", "[::1]:6090"])
async def test_without_tokens_a_local_request_is_anonymous(host: str) -> None:
    headers = Headers({"host": host, "origin": f"http://{host}"})

    assert await Authentication([]).principal_of(headers) is ANYONE


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "evil.example"},
        {"host": "[::1"},
        {"host": "localhost:6090", "origin": "http://evil.example"},
        {"host": "localhost:6090", "origin": "http://localhost:3000"},
        {"host": "localhost:6090", "origin": "null"},
        {"host": "localhost:6090", "sec-fetch-site": "cross-site"},
    ],
)
async def test_without_tokens_what_a_page_of_another_site_sends_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ProblemError) as raised:
        await Authentication([]).principal_of(Headers(headers))

    assert raised.value.kind is Kind.FORBIDDEN
