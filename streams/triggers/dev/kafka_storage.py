"""Formats the storage of Kafka brokers. What Kafka's tool has written once is copied, because Java takes a second."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from triggers.dev.artifacts import KAFKA_VERSION
from triggers.errors import SettingsError
from triggers.settings import cache_dir

_CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"

Command = Sequence[str | Path]


def format_storage(folder: Path, properties: str, java: Callable[..., Command], options: Sequence[str] = ()) -> None:
    """Format an empty or new folder for a broker with these properties, of which only the node's id matters.

    `java` returns the command that runs a class of Kafka. `options` of the tool, such as users, are for this folder
    only. Raises SettingsError.
    """
    if options:
        _run_tool(folder, properties, java, options)
        return
    node = [line.partition("=")[2] for line in properties.splitlines() if line.startswith("node.id=")][-1]
    formatted = cache_dir() / f"kafka-{KAFKA_VERSION}-storage-of-node-{node}"
    if not formatted.exists():
        _run_tool(formatted, properties, java)
    shutil.copytree(formatted, folder, dirs_exist_ok=True)


def _run_tool(formatted: Path, properties: str, java: Callable[..., Command], options: Sequence[str] = ()) -> None:
    """Format a temporary folder and rename it. If two processes do so at the same time, the first one's stays."""
    with tempfile.TemporaryDirectory(dir=formatted.parent) as scratch:
        written, storage = Path(scratch, "server.properties"), Path(scratch, "storage")
        written.write_text(f"{properties}\nlog.dirs={storage}\n")  # the last line with a key takes precedence
        command = java("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", written, *options)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SettingsError(
                "Kafka could not format its storage; it needs Java 17 and space on the disk:\n"
                f"{(done.stdout + done.stderr)[-2000:]}"
            )
        with suppress(OSError):
            storage.rename(formatted)
