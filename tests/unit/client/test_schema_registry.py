"""The client of the schema registry, on a real HTTP server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.unit.client.http_server import Site, serving

from triggers.client import SchemaRegistry
from triggers.codec import Reason
from triggers.errors import SettingsError, TryAgain, Undecodable

SCHEMA = '{"type": "string"}'


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(lambda _: (200, json.dumps({"schema": SCHEMA}).encode())) as site:
        yield site


@contextmanager
def answering(text: bytes) -> Iterator[str]:
    """Yields the URL of a server that sends a text and closes the connection."""

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(text)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_schema_is_fetched_by_its_id(site: Site) -> None:
    assert SchemaRegistry(site.url + "/").schema(7) == SCHEMA
    assert [path for path, _ in site.asked] == ["/schemas/ids/7"]


def test_credentials_of_the_url_are_sent_and_the_url_may_have_a_path(site: Site) -> None:
    url = site.url.replace("http://", "http://user:p%40ss@") + "/registry"

    SchemaRegistry(url).schema(7)

    [(path, headers)] = site.asked
    assert (path, headers["Authorization"]) == ("/registry/schemas/ids/7", "Basic dXNlcjpwQHNz")


def test_an_unknown_id_is_requested_once_a_minute(site: Site) -> None:
    time = [100.0]
    registry = SchemaRegistry(site.url, now=lambda: time[0])
    site.answer = lambda _: (404, b'{"error_code": 40403}')

    for _ in range(3):
        with pytest.raises(Undecodable) as caught:
            registry.schema(7)
        assert caught.value.reason == Reason.UNKNOWN_SCHEMA
    assert len(site.asked) == 1

    time[0] += 61
    site.answer = lambda _: (200, json.dumps({"schema": SCHEMA}).encode())
    assert registry.schema(7) == SCHEMA


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (401, b"{}"),
        (404, b""),
        (404, b"<html>"),
        (404, b'{"error_code": 404}'),
        (500, b'{"error_code": 40403}'),
        (200, b"<html>"),
        (200, b'{"version": 1}'),
    ],
)
def test_a_registry_that_gives_no_answer_is_tried_again_later(site: Site, answer: tuple[int, bytes]) -> None:
    site.answer = lambda _: answer

    with pytest.raises(TryAgain, match=site.url):
        SchemaRegistry(site.url).schema(7)


def test_an_unavailable_registry_is_tried_again_later() -> None:
    with pytest.raises(TryAgain, match=r"127\.0\.0\.1:1"):
        SchemaRegistry("http://127.0.0.1:1", timeout_s=1).schema(7)


def test_a_registry_that_never_ends_its_answer_is_tried_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TryAgain, match=url):
            SchemaRegistry(url, timeout_s=0.1).schema(7)


def test_a_server_without_http_is_tried_again_later() -> None:
    with answering(b"SSH-2.0-OpenSSH_9.2\r\n") as url, pytest.raises(TryAgain, match=url):
        SchemaRegistry(url).schema(7)


@pytest.mark.parametrize("more", [{"schemaType": "PROTOBUF"}, {"schemaType": "JSON"}, {"references": [{"name": "x"}]}])
def test_a_schema_of_another_kind_is_incompatible(site: Site, more: dict[str, object]) -> None:
    site.answer = lambda _: (200, json.dumps({"schema": SCHEMA} | more).encode())

    with pytest.raises(Undecodable) as caught:
        SchemaRegistry(site.url).schema(7)

    assert caught.value.reason == Reason.INCOMPATIBLE_SCHEMA


def test_a_schema_of_another_kind_is_requested_once_a_minute(site: Site) -> None:
    time = [100.0]
    registry = SchemaRegistry(site.url, now=lambda: time[0])
    site.answer = lambda _: (200, json.dumps({"schema": SCHEMA, "schemaType": "JSON"}).encode())

    for _ in range(3):
        with pytest.raises(Undecodable, match="schema 7 is JSON"):
            registry.schema(7)

    assert len(site.asked) == 1
    time[0] += 61
    with pytest.raises(Undecodable):
        registry.schema(7)
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    "url", ["localhost:8081", "ftp://host", "http://", "", "file:///etc/passwd", "http://host:port", "http://[::1"]
)
def test_an_invalid_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(SettingsError, match="schema_registry_url"):
        SchemaRegistry(url)
