"""`triggers worker` runs agents."""

from __future__ import annotations

import sys

import click

from triggers.cli.settings_options import service_settings, setting
from triggers.client.schema_registry import event_decoder


@click.command("worker")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of worker processes. Each has a slot, counted from 0.",
)
@setting("data_dir", "Folder for RocksDB files, with a subfolder for each slot.")
@setting("worker_id", "Stable name of this machine's workers, unique in the namespace. Default: `<host>-<slot>`.")
@setting("web_host", "Address on which the HTTP server listens.")
@setting("web_port", "HTTP port of the first slot; 0 takes a free port.")
@setting("advertised_url", "URL at which other machines reach this worker. Default: `http://<web-host>:<port>`.")
@setting("max_batch_records", "Maximum number of records in a transaction.")
@setting("session_timeout_s", "Seconds without a heartbeat after which other workers take over.")
@setting("log_format", "Format of log lines: console or json.")
@click.pass_context
def worker_command(ctx: click.Context, processes: int) -> None:
    """Run agents, which own partitions, keep sessions, evaluate rules and issue commands.

    A process that dies is started again, unless a restart cannot help: then the command ends with its exit code.
    """
    from triggers.worker.supervisor import run_workers

    settings = service_settings(ctx)
    event_decoder(settings)  # fails once for a wrong URL, before every slot's process does
    sys.exit(run_workers(settings, processes))
