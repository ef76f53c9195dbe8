"""A small disk that can be filled: a tmpfs in the campaign's mount namespace."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

_CLONE_NEWNS = 0x00020000
_SIZE = "96m"
_BLOCK = 1 << 16


class Disk:
    """A folder that is a file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @classmethod
    @contextmanager
    def mounted(cls, folder: Path) -> Iterator[Self | None]:
        """Mounts the disk until the `with` ends. Yields None without the privilege to mount."""
        folder.mkdir(exist_ok=True)
        mounted = sys.platform.startswith("linux") and _run(
            "mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", folder
        )
        try:
            yield cls(folder) if mounted else None
        finally:
            if mounted:
                _run("umount", "-l", folder)

    def fill(self) -> None:
        """Fills the disk to the last byte."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (_BLOCK, 4096):
                try:
                    while True:
                        ballast.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Frees the whole disk."""
        self._ballast.unlink(missing_ok=True)


def own_mounts() -> None:
    """Moves this process into a mount namespace, so that its mounts end with it. Must be called before a thread starts.

    Without the privilege it does nothing.
    """
    if sys.platform.startswith("linux") and ctypes.CDLL(None).unshare(_CLONE_NEWNS) == 0:
        _run("mount", "--make-rprivate", "/")


def _run(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
