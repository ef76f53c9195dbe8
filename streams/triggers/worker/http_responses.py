"""Responses of the worker's HTTP server, and parameters of its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from triggers.process.exits import Stop, exit_now
from triggers.store.partition_rows import PartitionClosed

T = TypeVar("T")


async def run_off_loop(call: Callable[[], T]) -> T:
    """Runs a read in a thread, beside the pump. A revoked partition gives a 503, and a failed file ends the worker."""
    try:
        return await asyncio.to_thread(call)
    except Stop as stop:
        exit_now(stop.code, stop.why, stop.__cause__)
    except PartitionClosed as error:
        raise http_problem(web.HTTPServiceUnavailable, "the partition is moving to another worker") from error


def json_response(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def http_problem(status: type[web.HTTPException], why: str) -> web.HTTPException:
    """Returns an error response, to be raised."""
    return status(text=msgspec.json.encode({"error": why}).decode(), content_type="application/json")


def number_of(request: web.Request, name: str, default: float) -> float:
    """Returns a parameter of the query. Raises a 400 if it is no number of at least 0."""
    text = request.query.get(name, default)
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise http_problem(web.HTTPBadRequest, f"{name} is {text!r:.80}, but it must be a number of at least 0")
    return number
