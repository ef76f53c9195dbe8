"""Ours, twice: what `triggers worker --processes 2` runs."""

from __future__ import annotations

import sys

from triggers.processing.supervisor import run_workers
from triggers.settings import Settings


def main(brokers: str, namespace: str, folder: str) -> int:
    """Run until SIGTERM."""
    settings = Settings.from_env(
        brokers=brokers, namespace=namespace, data_dir=folder, worker_id="bench", web_port=0, log_format="json"
    )
    return run_workers(settings, 2)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
