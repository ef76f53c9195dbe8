"""An archive of Kafka's classes as Java has loaded them (class-data sharing). It halves the CPU time of a start.

The first broker that is stopped on a machine writes it; later ones read it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from triggers.dev.artifacts import KAFKA_VERSION
from triggers.settings import cache_dir


class ClassArchive:
    """The archive as one broker uses it: the broker reads it, or writes it when it ends."""

    def __init__(self, home: Path) -> None:
        """`home` is a folder of the broker."""
        self._archive = cache_dir() / f"kafka-{KAFKA_VERSION}-classes-{_identify_java()}"
        self._written = home / "classes"

    def java_options(self) -> list[str]:
        """Return Java's options for a start. Java itself ignores an archive that does not fit."""
        if self._archive.exists():
            return [f"-XX:SharedArchiveFile={self._archive}"]
        return [f"-XX:ArchiveClassesAtExit={self._written}"]

    def is_missing(self) -> bool:
        """Return whether a broker should end in order rather than be killed, so that Java writes the archive."""
        return not self._archive.exists()

    def keep(self) -> None:
        """Keep what Java has written, if the broker has ended in order. Other processes never see a part of it."""
        if self._written.exists() and self.is_missing():
            copy = self._archive.with_name(f"{self._archive.name}-{os.getpid()}")
            shutil.copyfile(self._written, copy)
            copy.replace(self._archive)


def _identify_java() -> str:
    """Return a name of the machine's Java that changes with its version, because an archive fits only the same one."""
    java = Path(shutil.which("java") or "java").resolve()
    with suppress(OSError):
        return f"{java.stat().st_mtime_ns:x}"
    return "unknown"
