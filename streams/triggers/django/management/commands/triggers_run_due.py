"""`manage.py triggers_run_due`: carries out what is due in sessions that live in a Django cache."""

from __future__ import annotations

import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from triggers.running.due_sessions import run_due_sessions


class Command(BaseCommand):
    """Runs once, for cron, or with `--every` until it is stopped."""

    help = "Carry out delays, deadlines, retries and timeouts that are due in embedded sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--cache", default="default", help="name of the cache in CACHES")
        parser.add_argument("--storage", default="cache", help="key of the storage in triggers.storages")
        parser.add_argument("--manager", default="default", help="key of the manager in triggers.managers")
        parser.add_argument("--every", type=float, metavar="SECONDS", help="repeat until Ctrl-C")

    def handle(self, *_: object, **options: Any) -> None:
        every, stopped = options["every"], threading.Event()
        while True:
            due = run_due_sessions(options["storage"], options["manager"], cache=options["cache"])
            if options["verbosity"] > 1 or (due and every is None):
                self.stdout.write(f"{due} due")
            if every is None or stopped.wait(every):
                return
