"""The triggers agent, as `triggers worker --processes N` runs it, with settings from `TRIGGERS_*`."""

from __future__ import annotations

import sys
from pathlib import Path

from triggers.settings import Settings
from triggers.worker.app import run_worker
from triggers.worker.supervisor import run_workers


def main(brokers: str, namespace: str, folder: str, processes: str = "1") -> int:
    """Runs the agent until SIGTERM."""
    name = Path(folder).name  # agents that run side by side have folders and names of their own
    settings = Settings.from_env(
        brokers=brokers, namespace=namespace, data_dir=folder, worker_id=name, web_port=0, log_format="json"
    )
    return run_worker(settings, 0) if processes == "1" else run_workers(settings, int(processes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
