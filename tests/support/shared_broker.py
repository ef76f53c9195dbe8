"""One broker for all processes of a test run. The first process that needs it starts it and stops it after the last."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from triggers.dev.broker import running_broker


@contextmanager
def shared_broker(folder: Path, start: Callable[[], AbstractContextManager[str]] = running_broker) -> Iterator[str]:
    """Returns the broker's address. `folder` belongs to the test run and is the same for all of its processes.

    Raises what `start` raises, in each process that tries.
    """
    address = folder / "broker.address"
    with ExitStack() as stack, (folder / "broker.users").open("a") as users:
        with _lock_door(folder):
            is_mine = not address.exists()
            if is_mine:
                address.write_text(stack.enter_context(start()))
            fcntl.flock(users, fcntl.LOCK_SH)
        yield address.read_text()
        fcntl.flock(users, fcntl.LOCK_UN)
        if is_mine:
            _wait_for_the_others(folder, users)


def _wait_for_the_others(folder: Path, users: IO[str]) -> None:
    """Waits until no other process uses the broker, and removes its address.

    A process that enters later finds no address and starts another broker."""
    while True:
        with _lock_door(folder), suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (folder / "broker.address").unlink()
            return
        time.sleep(0.1)


@contextmanager
def _lock_door(folder: Path) -> Iterator[None]:
    """Lets in one process at a time. The others block."""
    with (folder / "broker.door").open("a") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield
