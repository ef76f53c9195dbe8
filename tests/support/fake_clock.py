"""A clock of a process that a test sets, by libfaketime."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def fake_clock() -> Path | None:
    """Returns the library of the wheel libfaketime, or None if it is not installed."""
    spec = find_spec("libfaketime")
    libraries = (
        sorted(Path(spec.origin).parent.glob("vendor/libfaketime/src/libfaketime.so*")) if spec and spec.origin else []
    )
    return libraries[0] if libraries else None


def follow_clock(library: Path, file: Path) -> dict[str, str]:
    """Returns the variables with which a process has the clock that a file says, such as `+3600`.

    The monotonic clock stays the real one. The library costs the process much CPU time.
    """
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # otherwise it parses the C library's version at each wait with a timeout
    }
