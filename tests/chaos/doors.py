"""Doors between clients and brokers. Each client's traffic passes through one, which can be slow or shut.

A door parses Kafka's frames, so it can also lose one kind of request, or delay or lose the answers to it. Kafka keeps
the order of a connection, so later answers wait behind a delayed one.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Self

from tests.chaos.wire import LENGTH, Request, name_of, read_correlation, read_request

_BUFFER_BYTES = 1 << 20
_MAX_FRAMES = 256
"""Maximum number of frames inside a shut door. Further ones wait in the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Says which answers a door delays or loses, and which requests it loses."""

    apis: frozenset[int]
    client: bytes = b""
    """Text that the `client.id` of the struck clients contains."""
    delay_s: float = 0.0
    """Delay of the answers in seconds, on average. Each is off by up to a half."""
    loss: float = 0.0
    """Probability that the connection breaks instead of an answer, after the broker has executed the request."""
    unheard: float = 0.0
    """Probability that the connection breaks instead of a request, so the broker does not execute it."""

    def concern(self, request: Request) -> bool:
        """Returns whether the request is one of those that are struck."""
        return request.api in self.apis and self.client in request.client


class Door:
    """TCP proxies in front of the brokers, for one client. Thread-safe."""

    def __init__(self, doorman: Doorman, ports: dict[int, int]) -> None:
        """`ports` maps each port to listen on to the port of the broker behind it."""
        self.delay_s = 0.0
        """Delay of every frame, in both directions."""
        self.answers: Answers | None = None
        """Which answers are delayed or lost, or None for no answer."""
        self.late: Counter[str] = Counter()
        """Name of a request -> number of its answers that were delayed."""
        self.lost: Counter[str] = Counter()
        """Name of a request -> number of its answers that were lost."""
        self.unheard: Counter[str] = Counter()
        """Name of a request -> how often the request itself was lost."""
        self._chance = Random(0)  # noqa: S311  # repeatable
        self._doorman = doorman
        self._open = asyncio.Event()
        self._open.set()
        for listening, behind in ports.items():
            doorman.serve(self, listening, behind)

    def shut(self) -> None:
        """Lets nothing pass. Connections stay open, and what was sent arrives when the door opens again."""
        self._doorman.call(self._open.clear)

    def open(self) -> None:
        """Lets everything pass without delay. `answers` still applies."""
        self.delay_s = 0.0
        self._doorman.call(self._open.set)

    async def wait_until_open(self) -> None:
        """Waits until the door is open. Runs on the doorman's event loop."""
        await self._open.wait()

    def hear(self, request: Request) -> None:
        """Raises ConnectionAbortedError if the request is lost."""
        answers = self.answers
        if answers is None or not answers.unheard or not answers.concern(request):
            return
        if self._chance.random() < answers.unheard:
            self.unheard[name_of(request.api)] += 1
            raise ConnectionAbortedError(name_of(request.api))

    def treat(self, request: Request) -> float:
        """Returns the delay of the answer to a request in seconds. Raises ConnectionAbortedError if it is lost."""
        answers = self.answers
        if answers is None or not answers.concern(request):
            return 0.0
        name = name_of(request.api)
        if answers.loss and self._chance.random() < answers.loss:
            self.lost[name] += 1
            raise ConnectionAbortedError(name)
        if not answers.delay_s:
            return 0.0
        self.late[name] += 1
        return answers.delay_s * self._chance.uniform(0.5, 1.5)


class Doorman:
    """The event loop and thread in which all doors work. It ends with the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="doors").start()

    def call(self, change: object) -> None:
        """Runs a function on the doors' event loop."""
        assert callable(change)
        self._loop.call_soon_threadsafe(change)

    def serve(self, door: Door, listening: int, behind: int) -> None:
        """Starts to listen on a port for a door."""

        async def pass_through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                await _Connection(door).join(reader, writer, behind)
            writer.close()

        serving = asyncio.start_server(pass_through, "127.0.0.1", listening, limit=_BUFFER_BYTES)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)


class _Connection:
    """A connection through a door, with its unanswered requests."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._asked: dict[int, Request] = {}

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behind: int) -> None:
        """Forwards both directions until one of them ends."""
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", behind, limit=_BUFFER_BYTES)
        ways = [
            asyncio.ensure_future(self._carry_requests(reader, there_writer)),
            asyncio.ensure_future(self._carry_answers(there_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        there_writer.close()

    async def _carry_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _Way(self._door, writer) as way:
            while frame := await _read_frame(reader):
                request = read_request(frame)
                self._door.hear(request)
                self._asked[request.correlation] = request
                await way.put(frame, 0.0)

    async def _carry_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _Way(self._door, writer) as way:
            while frame := await _read_frame(reader):
                request = self._asked.pop(read_correlation(frame), None)
                await way.put(frame, self._door.treat(request) if request else 0.0)


class _Way:
    """One direction of a connection. It sends frames in order, each when its delay is over."""

    def __init__(self, door: Door, writer: asyncio.StreamWriter) -> None:
        self._door = door
        self._writer = writer
        self._frames: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MAX_FRAMES)
        self._leaving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._leaving = asyncio.create_task(self._let_out())
        return self

    async def put(self, frame: bytes, delay_s: float) -> None:
        """Queues a frame with this delay and the door's. Raises OSError if the other side has closed."""
        assert self._leaving is not None
        if self._leaving.done():
            self._leaving.result()
        await self._frames.put((asyncio.get_running_loop().time() + self._door.delay_s + delay_s, frame))

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Sends the queued frames, except after an error."""
        assert self._leaving is not None
        try:
            if kind is None:
                await self._frames.put((0.0, b""))
                await self._leaving
        finally:
            self._leaving.cancel()
            self._writer.close()

    async def _let_out(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, frame = await self._frames.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._door.wait_until_open()
            if not frame:
                return
            self._writer.write(LENGTH.pack(len(frame)) + frame)
            await self._writer.drain()


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    """Returns the next frame without its length, or nothing if the connection has ended."""
    try:
        return await reader.readexactly(LENGTH.unpack(await reader.readexactly(LENGTH.size))[0])
    except asyncio.IncompleteReadError:
        return b""
