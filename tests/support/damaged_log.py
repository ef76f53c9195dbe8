"""A broker's files, and a byte that flips in them."""

from __future__ import annotations

from pathlib import Path


class DamagedLog:
    """The log directory of a broker that is running: it sends what the files hold, without looking at it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def flip(self, topic: str, value: bytes, partition: int = 0) -> None:
        """Change the last byte of this value, which one record of the partition's only segment has.

        It must not be compressed. Nothing else of the batch changes, so only its checksum tells.
        """
        (segment,) = (self._directory / f"{topic}-{partition}").glob("*.log")
        content = segment.read_bytes()
        assert content.count(value) == 1, f"{content.count(value)} times in {segment}: {value!r}"
        place = content.index(value) + len(value) - 1
        with segment.open("r+b") as file:
            file.seek(place)
            file.write(bytes([content[place] ^ 1]))
