"""`triggers dev` runs the whole stack in one terminal."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from triggers.cli.companions import refuse_brokers, refuse_ignored
from triggers.cli.interruption import end_by_signals
from triggers.cli.settings_options import command_settings, setting
from triggers.dev.broker import new_broker
from triggers.dev.child_process import Relay
from triggers.dev.example import APP, BrowserService, example_environment, examples_folder
from triggers.dev.ports import free_ports
from triggers.dev.readiness import Readiness
from triggers.dev.stack import Stack, celery_service, console_service, make_topics, rules_service, worker_service
from triggers.settings import Settings

_LOOK_EVERY_S = 0.3


@click.command("dev")
@click.option("--broker", metavar="HOST:PORT", help="Broker to use. Without it, a broker is started.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Number of workers.")
@click.option(
    "--celery-workers", type=click.IntRange(0), default=1, show_default=True, help="Number of Celery workers."
)
@click.option("-A", "--app", envvar="TRIGGERS_APP", show_envvar=True, help="Celery app. Default: the example's.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder in which data is kept. Default: a temporary one.")
@click.option(
    "--rules",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Rules that all sessions take. They are published at the start, and again whenever the file changes.",
)
@setting("partitions", "Number of partitions of each topic.")
@click.pass_context
def dev_command(
    ctx: click.Context,
    broker: str | None,
    processes: int,
    celery_workers: int,
    app: str | None,
    data: Path | None,
    rules: Path | None,
) -> None:
    """Run a broker, the topics, workers, Celery workers and the console on this machine until Ctrl-C."""
    refuse_brokers(ctx)
    if not celery_workers:
        refuse_ignored(ctx, "needs a Celery worker, and --celery-workers is 0", "app")
    end_by_signals()
    relay = Relay()
    with ExitStack() as cleanup:
        folder = data or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="triggers-dev-")))
        settings = command_settings(ctx, brokers=broker or _start_broker(relay, cleanup), data_dir=str(folder))
        make_topics(settings, relay)
        stack = Stack(relay)
        cleanup.callback(stack.stop)
        *ports, console = free_ports(processes + 1)
        for slot, port in enumerate(ports):
            stack.start(worker_service(settings, slot, port))
        stack.start(console_service(settings, console))
        if rules is not None:
            stack.start(rules_service(settings, rules))
        _start_celery(stack, settings, app, celery_workers, cleanup)
        readiness = Readiness(settings, [*ports, console], celery_workers)
        _watch(stack, relay, readiness, lambda: _summarise(relay, settings, ports, console))


def _start_broker(relay: Relay, cleanup: ExitStack) -> str:
    broker = new_broker()
    cleanup.callback(broker.stop)
    relay.write("broker", f"starting {broker.kind}")
    broker.start()
    return broker.address


def _start_celery(stack: Stack, settings: Settings, app: str | None, count: int, cleanup: ExitStack) -> None:
    env: dict[str, str] = {}
    folder = Path.cwd()
    if app is None and count:
        service = BrowserService()
        cleanup.callback(service.stop)
        env, folder = example_environment(settings.data_dir / "questionnaire", service.port), examples_folder()
    for number in range(count):
        stack.start(celery_service(settings, app or APP, number, env, folder))


def _summarise(relay: Relay, settings: Settings, ports: list[int], console: int) -> None:
    urls = ", ".join(f"http://127.0.0.1:{port}" for port in ports)
    relay.write(
        "ready",
        f"console http://127.0.0.1:{console}, Kafka {settings.brokers}, namespace {settings.namespace}, workers {urls};"
        " press Ctrl-C to stop everything;"
        f" in another terminal: triggers --brokers {settings.brokers} --namespace {settings.namespace} list",
    )


def _watch(stack: Stack, relay: Relay, readiness: Readiness, summarise: Callable[[], None]) -> None:
    """Restart processes that die, until Ctrl-C. Print the summary once, when everything is ready."""
    summarised = False
    try:
        while True:
            stack.watch()
            if not summarised and readiness.complete:
                summarised = True
                summarise()
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        relay.write("dev", "stopping")
