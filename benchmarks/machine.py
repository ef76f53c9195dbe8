"""Describes the machine and the moment of a measurement."""

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

from benchmarks.compiled import describe_agents
from triggers.dev.artifacts import KAFKA_VERSION

_PACKAGES = ("faust-streaming", "confluent-kafka", "rocksdict", "msgspec", "fastavro", "celery", "uvloop")
_MODEL = r"model name\s*: (.*)"
_MEMORY = r"MemTotal:\s*(\d+)"


def describe_machine() -> dict[str, str]:
    """Returns processor, memory, system and versions."""
    return {
        "processor": f"{os.cpu_count()} of {_first(_MODEL, '/proc/cpuinfo')}",
        "memory": f"{int(_first(_MEMORY, '/proc/meminfo') or 0) / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()} in {sys.base_prefix}",
        "agents": describe_agents(),
        "kafka": KAFKA_VERSION,
        "librdkafka": confluent_kafka.libversion()[0],
        **{package: version(package) for package in _PACKAGES},
    }


def describe_moment() -> str:
    """Returns the date, the commit and the load average of the machine."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_commit()}, load {os.getloadavg()[0]:.1f}"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _first(pattern: str, file: str) -> str:
    path = Path(file)
    match = re.search(pattern, path.read_text()) if path.exists() else None
    return match.group(1) if match else ""
