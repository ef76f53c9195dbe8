"""Doors between clients and brokers: each client's traffic passes one, and it can be slow or shut."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

_CHUNK = 65_536
_MOST_CHUNKS = 256
"""On the way through a shut door; what is beyond that waits where it comes from."""


class Door:
    """TCP proxies in front of the brokers for one client. Plain attributes and calls, from any thread."""

    def __init__(self, doorman: Doorman, ports: dict[int, int]) -> None:
        """`ports`: port to listen on -> port of the broker behind."""
        self.delay_s = 0.0
        """Added to everything, in both directions."""
        self._doorman = doorman
        self._open = asyncio.Event()
        self._open.set()
        for listening, behind in ports.items():
            doorman.serve(self, listening, behind)

    def shut(self) -> None:
        """Nothing passes; connections stay, and what was sent arrives when the door opens again."""
        self._doorman.call(self._open.clear)

    def open(self) -> None:
        """Everything passes at once."""
        self.delay_s = 0.0
        self._doorman.call(self._open.set)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction of one connection, until its end."""
        loop, way = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]](_MOST_CHUNKS)
        leaving = asyncio.create_task(self._let_out(way, writer))
        try:
            while chunk := await reader.read(_CHUNK):
                await way.put((loop.time() + self.delay_s, chunk))
            await way.put((0.0, b""))
            await leaving
        finally:
            leaving.cancel()
            writer.close()

    async def _let_out(self, way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, chunk = await way.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self._open.wait()
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()


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
                await _join(door, reader, writer, behind)
            writer.close()

        serving = asyncio.start_server(pass_through, "127.0.0.1", listening)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)


async def _join(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behind: int) -> None:
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", behind)
    ways = [
        asyncio.ensure_future(door.carry(reader, there_writer)),
        asyncio.ensure_future(door.carry(there_reader, writer)),
    ]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    there_writer.close()
