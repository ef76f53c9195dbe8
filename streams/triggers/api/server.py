"""Runs the API on uvicorn, and refuses to serve other machines without tokens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Literal

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from triggers.api.api_metrics import ApiMetrics
from triggers.api.application import application
from triggers.api.authentication import Authentication
from triggers.api.identity import Identifier
from triggers.api.open_id import OpenIdTokens, provider_of
from triggers.api.services import Services
from triggers.api.tokens import TokenFile
from triggers.client.consumer_lag import Finished
from triggers.errors import SettingsError
from triggers.settings import Settings
from triggers.telemetry.exposition import serve_metrics
from triggers.telemetry.http_metrics import HttpMetrics

_KEEP_ALIVE_S = 75
"""Time for which an idle connection is kept. It is longer than load balancers keep theirs, which would otherwise send a
request into a connection that is just being closed."""
_STOP_S = 15
"""Time for requests in progress when the process is asked to stop. It is longer than a broker takes to acknowledge."""


def authentication_of(settings: Settings) -> Authentication:
    """Returns the authentication that the settings describe. Raises SettingsError."""
    path, provider = settings.api_token_file, provider_of(settings)
    tokens = TokenFile(path if path.name else None, settings.api_tokens)
    identifiers: list[Identifier] = [tokens] if len(tokens) or path.name else []
    if provider is not None:
        identifiers.append(OpenIdTokens(provider))
    return Authentication(identifiers)


def listen(settings: Settings, authentication: Authentication) -> socket.socket:
    """Returns a socket that listens on the settings' address.

    Raises SettingsError if the address is in use, or is not of this machine only and there are no tokens.
    """
    host, port = settings.api_host, settings.api_port
    try:
        listening = socket.create_server((host, port), family=_family(host), backlog=2048)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    if not authentication.needs_tokens and not ip_address(listening.getsockname()[0]).is_loopback:
        listening.close()
        raise SettingsError(
            f"the API would admit everyone who can reach {host}: configure tokens (`triggers api token` makes one, and"
            " TRIGGERS_API_TOKEN_FILE names their file), or OpenID Connect, or listen on 127.0.0.1"
        )
    return listening


def serve(
    settings: Settings,
    authentication: Authentication,
    listening: socket.socket,
    *,
    finished: Callable[[int, str], Finished] | None = None,
    mounted: Sequence[BaseRoute] = (),
) -> None:
    """Serves on a listening socket until SIGINT or SIGTERM. Blocks."""
    services = Services(settings)
    with _metrics_of(services) as metrics:
        app = application(services, authentication, finished=finished, mounted=mounted, metrics=metrics)
        run(app, listening)


@contextmanager
def _metrics_of(services: Services) -> Iterator[HttpMetrics | None]:
    """Serves the metrics if the settings name a port. Raises SettingsError if it is in use."""
    if not services.settings.metrics_port:
        yield None
        return
    metrics = ApiMetrics(services.settings, lambda: services.publisher.in_flight)
    close = serve_metrics(services.settings, metrics.registry)
    metrics.start_measuring_lag()
    try:
        yield metrics.requests
    finally:
        metrics.stop_measuring_lag()
        close()


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Runs an application on a listening socket until SIGINT or SIGTERM. Blocks."""
    config = uvicorn.Config(
        app,
        http=_protocol(),
        log_config=None,
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_S,
        ws="none",
        lifespan="on",
    )
    uvicorn.Server(config).run(sockets=[listening])


def _protocol() -> type[asyncio.Protocol] | Literal["auto"]:
    """Returns the protocol of connections. Without httptools, which Windows lacks, uvicorn uses h11, which limits the
    size of heads itself.
    """
    if find_spec("httptools") is None:
        return "auto"
    from triggers.api.guarded_protocol import GuardedProtocol  # noqa: PLC0415  # it needs httptools

    return GuardedProtocol


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
