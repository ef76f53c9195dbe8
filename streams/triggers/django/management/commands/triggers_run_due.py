"""`manage.py triggers_run_due`: carries out what is due in sessions that live in a Django cache."""

from __future__ import annotations

import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from triggers.running.due_sessions import run_due_sessions


class Command(BaseCommand):
    """Carries out what is due once, for cron, or repeatedly with `--every`."""

    help = "Carry out delays, deadlines, retries and timeouts that are due in embedded sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--cache", default="default", help="Name of the cache in CACHES. Default: default.")
        parser.add_argument(
            "--storage", default="cache", help="Key of the storage in triggers.storages. Default: cache."
        )
        parser.add_argument(
            "--manager", default="default", help="Key of the manager in triggers.managers. Default: default."
        )
        parser.add_argument(
            "--every",
            type=float,
            metavar="SECONDS",
            help="Seconds between runs, which are repeated until Ctrl-C. Default: run once.",
        )

    def handle(self, *_: object, **options: Any) -> None:
        every, stopped = options["every"], threading.Event()
        if every is not None and not every > 0:
            raise CommandError(f"--every is {every:g}, but it must be more than 0 (seconds)")
        while True:
            due = run_due_sessions(options["storage"], options["manager"], cache=options["cache"])
            if options["verbosity"] > 1 or (due and every is None):
                self.stdout.write(f"due timers carried out: {due}")
            if every is None or stopped.wait(every):
                return
