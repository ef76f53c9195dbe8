"""Prints the output of several processes on one terminal, line by line, each with the name of its process."""

from __future__ import annotations

import sys
import threading
from itertools import cycle
from typing import IO, TextIO

_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


class Relay:
    """Prints lines as they arrive. Thread-safe."""

    def __init__(self, out: TextIO | None = None, width: int = 12) -> None:
        self._out = out or sys.stdout
        self._width = width
        self._lock = threading.Lock()
        self._colours = cycle(_COLOURS) if self._out.isatty() else None

    def follow(self, name: str, stream: IO[bytes]) -> None:
        """Start a thread that prints everything from the stream until it is closed."""
        colour = next(self._colours) if self._colours else None
        threading.Thread(target=self._copy, args=(name, colour, stream), daemon=True, name=f"relay-{name}").start()

    def write(self, name: str, line: str, colour: int | None = None) -> None:
        prefix = f"{name:<{self._width}} |"
        shown = prefix if colour is None else f"\x1b[{colour}m{prefix}\x1b[0m"
        with self._lock:
            self._out.write(f"{shown} {line}\n")
            self._out.flush()

    def _copy(self, name: str, colour: int | None, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self.write(name, line.decode(errors="replace").rstrip(), colour)
