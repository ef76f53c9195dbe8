"""Where it was measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import confluent_kafka

from benchmarks.compiled import kind
from triggers.dev.artifacts import KAFKA_VERSION

_PACKAGES = ("faust-streaming", "confluent-kafka", "rocksdict", "msgspec", "fastavro", "celery", "uvloop")
_MODEL = r"model name\s*: (.*)"
_MEMORY = r"MemTotal:\s*(\d+)"


def machine() -> dict[str, str]:
    """Processor, memory, system and versions, for people."""
    return {
        "processor": f"{os.cpu_count()} of {_first(_MODEL, '/proc/cpuinfo')}",
        "memory": f"{int(_first(_MEMORY, '/proc/meminfo') or 0) / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()} in {sys.base_prefix}",
        "agents": kind(),
        "kafka": KAFKA_VERSION,
        "librdkafka": confluent_kafka.libversion()[0],
        **{package: version(package) for package in _PACKAGES},
    }


def moment() -> str:
    """Now: the date, the commit, and how busy the machine is."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_commit()}, load {os.getloadavg()[0]:.1f}"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _first(pattern: str, file: str) -> str:
    path = Path(file)
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return found.group(1) if found else ""
