"""Runs the measured events of one case of `benchmarks.micro.rule_cases` under callgrind: `rule_events CASE PAGES`.

Prints the number of events whose instructions were counted.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys

from benchmarks.micro.rule_cases import measured_events, run_events, stored_case

EVENTS = 200


def main(case: str, pages: int) -> None:
    """Processes the events of as many sessions twice, and lets callgrind count the second time."""
    stored = stored_case(case, pages)
    events = measured_events(case, stored)
    sessions = [stored.load() for _ in range(2 * EVENTS // len(events))]
    half = len(sessions) // 2
    gc.collect()
    gc.disable()
    for session, rows in sessions[:half]:
        run_events(session, rows, events)
    command = ["callgrind_control", "-i", "on", str(os.getpid())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for session, rows in sessions[half:]:
        run_events(session, rows, events)
    sys.stdout.write(f"{half * len(events)}\n")
    sys.stdout.flush()
    os._exit(0)  # what Python does at its end must not count


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
