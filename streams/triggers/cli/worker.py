"""`triggers worker`: agents."""

from __future__ import annotations

import sys

import click

from triggers.cli.settings_options import setting, settings_of
from triggers.client.event_decoder import event_decoder


@click.command("worker")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Worker processes, one a slot.")
@setting("data_dir", "Folder of the RocksDB files; every slot has one of its own in it.")
@setting("worker_id", "Stable name of this machine's workers, unique in the namespace.")
@setting("web_host", "Interface of the HTTP server.")
@setting("web_port", "HTTP port of the first slot; 0: a free one.")
@setting("advertised_url", "URL under which other machines reach this worker.")
@setting("max_batch_records", "Most records of one transaction.")
@setting("session_timeout_s", "After how many silent seconds another worker takes over.")
@setting("log_format", "console or json.")
@click.pass_context
def worker_command(ctx: click.Context, processes: int) -> None:
    """Run agents: own partitions, keep sessions, evaluate rules, emit commands.

    Restarts a process that dies; ends with the code of one that cannot be restarted.
    """
    from triggers.processing.supervisor import run_workers  # noqa: PLC0415  # Faust takes a second to import

    settings = settings_of(ctx)
    event_decoder(settings)  # a wrong URL is told here, once, before a process of a slot meets it
    sys.exit(run_workers(settings, processes))
