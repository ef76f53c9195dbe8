"""A file and a pipe with the same text are the same input, whatever its encoding, compression and line ends are."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.analysis.input_file import BadInput, InputFile, input_file_of

TEXT = b'{"a": "\xc3\xa4"}\n{"b": 2}\n'
LINES = [b'{"a": "\xc3\xa4"}\n', b'{"b": 2}\n']
BOM = b"\xef\xbb\xbf"


class Pipe:
    """A named pipe that a thread writes in pieces of one size. `with` waits for the thread."""

    def __init__(self, folder: Path, content: bytes, piece: int = 1 << 16) -> None:
        self.path = folder / "pipe"
        os.mkfifo(self.path)
        self._pieces = [content[start : start + piece] for start in range(0, len(content), piece)]
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        with self.path.open("wb", buffering=0) as pipe:
            for piece in self._pieces:
                pipe.write(piece)

    def __enter__(self) -> Path:
        self._thread.start()
        return self.path

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self.path.unlink()


WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "without a last line end": lambda text: text.removesuffix(b"\n"),
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "byte order mark": lambda text: BOM + text,
    "two files with a mark each": lambda text: b"".join(BOM + line for line in text.splitlines(keepends=True)),
    "UTF-16, little endian": lambda text: text.decode().encode("utf-16"),
    "UTF-16, big endian": lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
    "gzip": gzip.compress,
    "two gzip files": lambda text: b"".join(gzip.compress(line) for line in text.splitlines(keepends=True)),
    "byte order mark in gzip": lambda text: gzip.compress(BOM + text),
    "CRLF and UTF-16 in gzip": lambda text: gzip.compress(text.replace(b"\n", b"\r\n").decode().encode("utf-16")),
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_a_pipe_gives_the_lines_of_the_file(tmp_path: Path, way: str, piece: int) -> None:
    content = WRITTEN[way](TEXT)
    (tmp_path / "file").write_bytes(content)

    with Pipe(tmp_path, content, piece) as pipe:
        lines = list(InputFile(pipe).lines())

    assert [line.rstrip(b"\r\n") for line in lines] == [line.rstrip(b"\n") for line in LINES]
    assert list(InputFile(tmp_path / "file").lines()) == lines


@pytest.mark.parametrize("content", [b"", BOM, gzip.compress(b"", mtime=0), b"\xff\xfe"])
def test_empty_input_has_no_text(tmp_path: Path, content: bytes) -> None:
    with Pipe(tmp_path, content) as pipe:
        assert InputFile(pipe).read() == b""


@pytest.mark.parametrize("name", ["log.gz", "log.jsonl"])
def test_the_name_does_not_say_what_the_file_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    for content in (TEXT, gzip.compress(TEXT)):
        path.write_bytes(content)
        assert InputFile(path).read() == TEXT


@given(text=st.binary(max_size=300), count=st.integers(0, 400))
def test_peeking_at_the_first_bytes_consumes_none(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, count: int
) -> None:
    path = tmp_path_factory.mktemp("peek") / "file"
    path.write_bytes(gzip.compress(b"x" + text))  # an x, so that the text is neither compressed nor marked
    file = InputFile(path)

    assert file.peek(count) == (b"x" + text)[:count]
    assert file.read() == (b"x" + text).replace(b"\n" + BOM, b"\n")


def test_standard_input_is_read_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT)))
    monkeypatch.setattr(sys, "stdin", stdin)

    assert (InputFile("-").read(), InputFile("-").name, stdin.closed) == (TEXT, "standard input", False)


def test_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(BadInput, match="standard input is closed"):
        InputFile("-").read()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(TEXT, mtime=0)[:-9], "ended before"),
        (b"\x1f\x8bnot gzip", "compression method"),
        (b"\xff\xfea", "truncated data"),
    ],
)
def test_damaged_input_is_refused_with_its_name(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "damaged").write_bytes(content)

    with pytest.raises(BadInput, match=f"damaged: .*{why}"):
        InputFile(tmp_path / "damaged").read()


@pytest.mark.parametrize("name", ["missing", "x" * 5000, "nul\0"])
def test_a_file_that_does_not_exist_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        InputFile(tmp_path / name).read()


def test_a_text_names_a_file_a_pipe_or_standard_input_or_is_a_value(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")

    named = [str(tmp_path / "file"), str(tmp_path / "pipe"), "-", "/dev/stdin"]
    values = [str(tmp_path), "page", "x" * 5000, "nul\0", "", ".", ".."]

    assert [input_file_of(text) is not None for text in named + values] == [True] * 4 + [False] * 7
