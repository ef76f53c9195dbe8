"""Tokens of an OpenID Connect provider, which a real server and real keys play."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm
from msgspec.structs import replace

from triggers.api.identity import Principal, Scope
from triggers.api.open_id import OpenIdTokens, Provider, provider_of
from triggers.errors import SettingsError, TryAgain
from triggers.settings import Settings

AUDIENCE = "triggers-api"


class ProviderServer:
    """An OpenID Connect provider on this machine. It serves what `keys` says, and counts the fetches."""

    def __init__(self) -> None:
        self.keys: dict[str, EllipticCurvePrivateKey] = {"k1": new_key()}
        self.fetches = 0
        self.broken = False
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # http.server's
                is_moved = self.path == "/moved"
                body = b"" if is_moved else provider.document(self.path)
                self.send_response(302 if is_moved else 500 if provider.broken else 200)
                self.send_header("Location", f"{provider.issuer}/keys")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Writes nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def document(self, path: str) -> bytes:
        if path == "/.well-known/openid-configuration":
            return json.dumps({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}).encode()
        self.fetches += 1
        return json.dumps({"keys": [public(name, key) for name, key in self.keys.items()]}).encode()

    def token(self, kid: str = "k1", key: EllipticCurvePrivateKey | None = None, **claims: Any) -> str:
        now = int(time.time())
        body = {"iss": self.issuer, "aud": AUDIENCE, "sub": "jane", "exp": now + 60, "scope": "triggers:read openid"}
        values = {name: value for name, value in (body | claims).items() if value is not None}
        return jwt.encode(values, key or self.keys[kid], algorithm="ES256", headers={"kid": kid})


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def public(name: str, key: EllipticCurvePrivateKey) -> dict[str, object]:
    members: dict[str, object] = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    return members | {"kid": name, "use": "sig", "alg": "ES256"}


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    server = ProviderServer()
    thread = threading.Thread(target=server.server.serve_forever)
    thread.start()
    yield server
    server.server.shutdown()
    thread.join()
    server.server.server_close()


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tokens_of(provider: ProviderServer, clock: Clock | None = None, **options: str) -> OpenIdTokens:
    described = Provider(issuer=provider.issuer, audience=AUDIENCE, algorithms=("RS256", "ES256"))
    return OpenIdTokens(replace(described, **options), clock or Clock())


async def test_a_valid_token_has_its_subject_and_the_scopes_with_the_prefix(provider: ProviderServer) -> None:
    tokens = tokens_of(provider)

    jane = await tokens.identify(provider.token(scope="triggers:operate triggers:unknown admin openid"))

    assert jane == Principal(name="jane", scopes=frozenset({Scope.OPERATE}))
    assert await tokens.identify(provider.token(scope=["triggers:ingest"])) == Principal(
        name="jane", scopes=frozenset({Scope.INGEST})
    )
    assert provider.fetches == 1


async def test_other_claims_can_be_the_actor_and_the_scopes(provider: ProviderServer) -> None:
    tokens = tokens_of(provider, scope_claim="roles", scope_prefix="", actor_claim="email")

    principal = await tokens.identify(provider.token(roles=["read"], email="jane@example.org"))

    assert principal == Principal(name="jane@example.org", scopes=frozenset({Scope.READ}))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another-service"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": 32_503_680_000},
        {"sub": None},
        {"sub": "two\nlines"},
        {"sub": ""},
    ],
)
async def test_a_token_for_others_or_of_another_time_is_refused(
    provider: ProviderServer, claims: dict[str, Any]
) -> None:
    assert await tokens_of(provider).identify(provider.token(**claims)) is None


async def test_a_token_with_another_signature_is_refused(provider: ProviderServer) -> None:
    tokens, valid = tokens_of(provider), provider.token()
    pem = provider.keys["k1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(valid, options={"verify_signature": False})

    assert await tokens.identify(provider.token(key=new_key())) is None
    assert await tokens.identify(valid[:-4] + "AAAA") is None
    assert await tokens.identify(jwt.encode(claims, "", algorithm="none")) is None
    assert await tokens.identify(_signed_with_the_public_key(claims, pem)) is None
    assert await tokens.identify("trg_token") is None


def _signed_with_the_public_key(claims: dict[str, object], pem: bytes) -> str:
    """Returns a token that confuses a library which takes the public key for a shared secret."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    head, body, _ = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "k1"}).split(".")
    signature = algorithm.sign(f"{head}.{body}".encode(), pem)
    return f"{head}.{body}.{jwt.utils.base64url_encode(signature).decode()}"


async def test_a_new_key_is_fetched_and_a_removed_one_is_refused_after_its_time(provider: ProviderServer) -> None:
    clock = Clock()
    tokens = tokens_of(provider, clock)
    old = provider.token()
    assert await tokens.identify(old)

    provider.keys = {"k2": new_key()}
    clock.now += 11

    assert await tokens.identify(provider.token("k2"))
    assert await tokens.identify(old) is None


async def test_forged_key_ids_cause_few_fetches(provider: ProviderServer) -> None:
    clock = Clock()
    tokens = tokens_of(provider, clock)

    for number in range(50):
        assert await tokens.identify(provider.token(f"forged-{number}", key=provider.keys["k1"])) is None

    assert provider.fetches == 1


async def test_keys_remain_valid_while_the_provider_is_unavailable(provider: ProviderServer) -> None:
    clock = Clock()
    tokens = tokens_of(provider, clock)
    assert await tokens.identify(provider.token())

    provider.broken = True
    clock.now += 3600

    assert await tokens.identify(provider.token())


async def test_without_any_key_the_request_may_be_repeated(provider: ProviderServer) -> None:
    tokens = tokens_of(provider)
    provider.broken = True

    with pytest.raises(TryAgain, match="cannot be fetched"):
        await tokens.identify(provider.token())

    provider.broken = False
    assert await tokens.identify(provider.token())


async def test_keys_over_plain_http_are_fetched_from_this_machine_only(provider: ProviderServer) -> None:
    with pytest.raises(TryAgain, match="must be an https URL"):
        await tokens_of(provider, keys_url="http://keys.example/keys").identify(provider.token())


async def test_a_redirect_to_other_keys_is_not_followed(provider: ProviderServer) -> None:
    with pytest.raises(TryAgain, match="cannot be fetched"):
        await tokens_of(provider, keys_url=f"{provider.issuer}/moved").identify(provider.token())

    assert provider.fetches == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_oidc_audience": ""}, "TRIGGERS_API_OIDC_AUDIENCE is empty"),
        ({"api_oidc_algorithms": "RS256,HS256"}, "HS256"),
        ({"api_oidc_algorithms": "none"}, "none"),
        ({"api_oidc_algorithms": ""}, "nothing"),
    ],
)
def test_unsafe_settings_are_refused(options: dict[str, str], message: str) -> None:
    settings = Settings.from_env({}, api_oidc_issuer="https://id.example", **({"api_oidc_audience": "a"} | options))

    with pytest.raises(SettingsError, match=message):
        provider_of(settings)
