"""Input files of commands: regular files, pipes, named pipes and standard input (`-`), all of which are read once.

The content says what it is, because a pipe has no name that could: gzip begins with its magic number, and a byte order
mark is removed. So what `cat` writes is read as the file itself is.
"""

from __future__ import annotations

import codecs
import gzip
import io
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from triggers.errors import CallError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STANDARD_INPUT = "-"
_GZIP = b"\x1f\x8b"
_BUFFER_BYTES = 1 << 16
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class BadInput(CallError):
    """The file cannot be read."""


class InputFile:
    """A file that is opened when it is first needed, and closed when it has been read.

    A log that arrives through a pipe is read line by line as it arrives. UTF-16, which Windows PowerShell writes,
    becomes UTF-8; for that the whole file is held in memory. All methods raise BadInput, which names the file.
    """

    def __init__(self, path: Path | str) -> None:
        """The path `-` is standard input. Nothing is opened yet."""
        self._path = Path(path)
        self._is_standard_input = str(path) == STANDARD_INPUT
        self._raw: io.BufferedIOBase | None = None
        self._text: _Stream | None = None

    @property
    def name(self) -> str:
        """The name of the file for messages."""
        return "standard input" if self._is_standard_input else str(self._path)

    @property
    def size(self) -> int | None:
        """The number of bytes in the file, or None for anything but a regular file."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    @property
    def bytes_read(self) -> int:
        """The number of bytes, compressed or not, that were read from a regular file; 0 for a pipe."""
        if self._raw is None:
            return 0
        if self._raw.closed:
            return self.size or 0
        return self._raw.tell() if self._raw.seekable() else 0

    def peek(self, count: int) -> bytes:
        """Return the first bytes of the text. They will be read again. Fewer than `count` mean that it has no more."""
        try:
            return self._opened().peek(count + len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8)[:count]
        except _UNREADABLE as error:
            raise self._refusal(error) from error

    def lines(self) -> Iterator[bytes]:
        """Yield the lines with their line ends. A byte order mark in front of a line is removed: `cat` leaves several.

        The last line may have no line end.
        """
        try:
            for line in self._opened():
                yield line.removeprefix(codecs.BOM_UTF8)
        except _UNREADABLE as error:
            raise self._refusal(error) from error
        finally:
            self.close()

    def read(self) -> bytes:
        """Return the whole text."""
        return b"".join(self.lines())

    def close(self) -> None:
        """Close the file, unless it is standard input. Reading it to its end does so, too."""
        if self._raw is not None and not self._is_standard_input:
            self._raw.close()

    def _opened(self) -> _Stream:
        if self._text is None:
            self._raw = self._open()
            self._text = _plain(_Stream(self._raw))
        return self._text

    def _open(self) -> io.BufferedIOBase:
        if not self._is_standard_input:
            return self._path.open("rb")
        if sys.stdin is None:
            raise BadInput("standard input is closed; give a file or a pipe")
        return cast("io.BufferedIOBase", sys.stdin.buffer)  # typeshed does not know that it has readinto1

    def _refusal(self, error: Exception) -> BadInput:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return BadInput(f"{self.name}: {why}")


def input_file_of(text: str) -> InputFile | None:
    """Return the input file that a text names, or None if there is none: then the text is a value itself."""
    try:
        is_file = text == STANDARD_INPUT or not stat.S_ISDIR(Path(text).stat().st_mode)
    except (OSError, ValueError):  # no such file, a name longer than any file's, a NUL character
        return None
    return InputFile(text) if is_file else None


_UNREADABLE = (OSError, EOFError, zlib.error, ValueError)
"""The errors of files: no access, a truncated or damaged gzip, UTF-16 that is none, a path with a NUL character."""


class _Source(io.RawIOBase):
    """A stream whose first bytes can be looked at. `BufferedReader.peek` returns less if a pipe has less yet."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._head = b""

    def peek(self, size: int) -> bytes:
        """Return the first bytes. Only to be called before anything is read."""
        while len(self._head) < size and (more := self._stream.read1(size - len(self._head))):
            self._head += more
        return self._head[:size]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._head:
            return self._stream.readinto1(buffer)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._head))
        target[:count], self._head = self._head[:count], self._head[count:]
        return count


class _Stream(io.BufferedReader):
    """A buffered `_Source`."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._source = _Source(stream)
        super().__init__(self._source, _BUFFER_BYTES)

    def peek(self, size: int = 0, /) -> bytes:
        return self._source.peek(size)


def _plain(stream: _Stream) -> _Stream:
    """Return the text of the stream: decompressed, in UTF-8. A byte order mark of UTF-8 is left to the lines."""
    if stream.peek(len(_GZIP)) == _GZIP:
        stream = _Stream(gzip.GzipFile(fileobj=stream))
    if stream.peek(len(codecs.BOM_UTF8)).startswith(_UTF_16):
        return _Stream(io.BytesIO(stream.read().decode("utf-16").encode()))
    return stream
