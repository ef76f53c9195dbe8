"""Doors between clients and brokers: each client's traffic passes one, which can be slow or shut.

A door reads Kafka's frames. So it can also hold back, or lose, the answers to one kind of request. Kafka keeps the
order of a connection: what follows an answer that is held back waits behind it.
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
"""On the way through a shut door; what is beyond that waits where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Which answers a door treats badly, and how."""

    apis: frozenset[int]
    client: bytes = b""
    """Only of clients whose `client.id` contains this."""
    delay_s: float = 0.0
    """The answers come later by this, give or take a half."""
    loss: float = 0.0
    """How often the connection breaks instead of an answer: the broker has done what was asked, nobody is told."""


class Door:
    """TCP proxies in front of the brokers for one client. Plain attributes and calls, from any thread."""

    def __init__(self, doorman: Doorman, ports: dict[int, int]) -> None:
        """`ports`: port to listen on -> port of the broker behind."""
        self.delay_s = 0.0
        """Added to everything, in both directions."""
        self.answers: Answers | None = None
        """Which answers are held back or lost; None: no answer is."""
        self.late: Counter[str] = Counter()
        """Name of a request -> how many of its answers were held back."""
        self.lost: Counter[str] = Counter()
        """Name of a request -> how many of its answers were lost."""
        self._chance = Random(0)  # noqa: S311  # repeatable
        self._doorman = doorman
        self._open = asyncio.Event()
        self._open.set()
        for listening, behind in ports.items():
            doorman.serve(self, listening, behind)

    def shut(self) -> None:
        """Nothing passes; connections stay, and what was sent arrives when the door opens again."""
        self._doorman.call(self._open.clear)

    def open(self) -> None:
        """Everything passes at once; answers that are held back are a matter of their own."""
        self.delay_s = 0.0
        self._doorman.call(self._open.set)

    async def wait_until_open(self) -> None:
        """Return when something may pass. In the doors' thread."""
        await self._open.wait()

    def treat(self, request: Request) -> float:
        """Return how late the answer to a request is. Raises ConnectionAbortedError: it is lost."""
        held = self.answers
        if held is None or request.api not in held.apis or held.client not in request.client:
            return 0.0
        name = name_of(request.api)
        if held.loss and self._chance.random() < held.loss:
            self.lost[name] += 1
            raise ConnectionAbortedError(name)
        if not held.delay_s:
            return 0.0
        self.late[name] += 1
        return held.delay_s * self._chance.uniform(0.5, 1.5)


class Doorman:
    """The thread in which all doors work; it ends with the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="doors").start()

    def call(self, change: object) -> None:
        """Run it in the doors' thread."""
        assert callable(change)
        self._loop.call_soon_threadsafe(change)

    def serve(self, door: Door, listening: int, behind: int) -> None:
        """Listen on a port for a door, from now on."""

        async def pass_through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                await _Connection(door).join(reader, writer, behind)
            writer.close()

        serving = asyncio.start_server(pass_through, "127.0.0.1", listening, limit=_BUFFER_BYTES)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)


class _Connection:
    """One connection through a door. It remembers which requests are not answered yet."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._asked: dict[int, Request] = {}

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behind: int) -> None:
        """Carry both directions, until one of them ends."""
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
                self._asked[request.correlation] = request
                await way.put(frame, 0.0)

    async def _carry_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _Way(self._door, writer) as way:
            while frame := await _read_frame(reader):
                request = self._asked.pop(read_correlation(frame), None)
                await way.put(frame, self._door.treat(request) if request else 0.0)


class _Way:
    """One direction of a connection: what is put in comes out in order, each frame not before its time."""

    def __init__(self, door: Door, writer: asyncio.StreamWriter) -> None:
        self._door = door
        self._writer = writer
        self._frames: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MAX_FRAMES)
        self._leaving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._leaving = asyncio.create_task(self._let_out())
        return self

    async def put(self, frame: bytes, delay_s: float) -> None:
        """Send a frame on, later by what it and the door are delayed. Raises OSError: the other side has gone."""
        assert self._leaving is not None
        if self._leaving.done():
            self._leaving.result()
        await self._frames.put((asyncio.get_running_loop().time() + self._door.delay_s + delay_s, frame))

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let out what is on its way; after an error nothing more."""
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
    """The next frame without its length; nothing: the connection has ended."""
    try:
        return await reader.readexactly(LENGTH.unpack(await reader.readexactly(LENGTH.size))[0])
    except asyncio.IncompleteReadError:
        return b""
