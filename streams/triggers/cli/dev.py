"""`triggers dev` runs the whole stack in one terminal."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from triggers.cli.ignored_options import refuse_brokers, refuse_ignored
from triggers.cli.interruption import end_by_signals
from triggers.cli.rules_watch import check_watchable
from triggers.cli.settings_options import service_settings, setting
from triggers.dev.broker import Broker, new_broker
from triggers.dev.celery_workers import CeleryWorkers
from triggers.dev.child_process import Relay
from triggers.dev.example import APP, BrowserService, example_environment, examples_folder
from triggers.dev.metrics_ports import MetricsPorts
from triggers.dev.ports import preferred_ports
from triggers.dev.readiness import Readiness
from triggers.dev.stack import Service, Stack, api_service, console_service, make_topics, rules_service, worker_service
from triggers.settings import Settings

_POLL_INTERVAL_S = 0.3
_KAFKA_PORT, _WORKER_PORT, _CONSOLE_PORT, _API_PORT = 9092, 6066, 6080, 6090


@click.command("dev")
@click.option("--broker", metavar="HOST:PORT", help="Broker to use instead of starting one.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Number of workers.")
@click.option(
    "--celery-workers",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Number of Celery workers of each app.",
)
@click.option(
    "-A",
    "--app",
    "apps",
    multiple=True,
    envvar="TRIGGERS_APP",
    show_envvar=True,
    help="Celery app: module or module:name. Repeatable. Default: that of the questionnaire example.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps all data, including Kafka's. Default: a temporary folder.",
)
@click.option(
    "--rules",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File of rules that all sessions take. They are published at the start, and again whenever the file changes.",
)
@setting("partitions", "Number of partitions of each topic.")
@click.pass_context
def dev_command(
    ctx: click.Context,
    broker: str | None,
    processes: int,
    celery_workers: int,
    apps: tuple[str, ...],
    data: Path | None,
    rules: Path | None,
) -> None:
    """Run a broker, workers, Celery workers, the HTTP API and the console on this machine until Ctrl-C.

    Missing topics are created. Kafka listens on port 9092, the first worker on 6066, the console on 6080 and the API
    on 6090; a port that is in use is replaced by a free one. Celery workers are restarted when their code changes.
    All of them serve metrics. The file prometheus.yml in the folder of the data has their ports, for Prometheus.
    """
    refuse_brokers(ctx)
    if rules is not None:
        check_watchable(rules)
    if not celery_workers:
        refuse_ignored(ctx, "needs a Celery worker, and --celery-workers is 0", "apps")
    end_by_signals()
    relay = Relay()
    with ExitStack() as cleanup:
        folder = data or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="triggers-dev-")))
        own = None if broker else _start_broker(relay, cleanup, data)
        settings = service_settings(ctx, brokers=broker or (own and own.address), data_dir=str(folder))
        settings = settings.without_security() if own else settings
        make_topics(settings, relay, rules)
        metrics = MetricsPorts()
        stack = Stack(relay, prepare=metrics.give_port)
        cleanup.callback(stack.stop)
        workers = range(_WORKER_PORT, _WORKER_PORT + processes)
        *ports, console, api = preferred_ports(*workers, _CONSOLE_PORT, _API_PORT)
        _start_services(stack, settings, ports, [console_service(settings, console), api_service(settings, api)], rules)
        celery = _celery_workers(stack, settings, apps, celery_workers, cleanup, relay)
        celery.start()
        readiness = Readiness(settings, [*ports, console, api], celery_workers, apps=max(len(apps), 1))
        watches = [stack.watch, celery.reload, lambda: _restart_broker(own, relay)]
        _watch(relay, watches, readiness, lambda: _summarise(relay, settings, metrics, ports, console, api))


def _start_broker(relay: Relay, cleanup: ExitStack, data: Path | None) -> Broker:
    port, controller = preferred_ports(_KAFKA_PORT, _KAFKA_PORT + 1)
    broker = new_broker(ports=(port, controller), data=None if data is None else data / "kafka")
    cleanup.callback(broker.stop)
    relay.write("broker", f"starting {broker.kind} on port {port}")
    broker.start()
    return broker


def _start_services(
    stack: Stack, settings: Settings, ports: list[int], others: list[Service], rules: Path | None
) -> None:
    for slot, port in enumerate(ports):
        stack.start(worker_service(settings, slot, port))
    for service in others:
        stack.start(service)
    if rules is not None:
        stack.start(rules_service(settings, rules))


def _restart_broker(broker: Broker | None, relay: Relay) -> None:
    """Start a broker of ours again if it has ended. Others wait for it, and continue."""
    if broker is not None and broker.has_died():
        relay.write("broker", f"{broker.kind} has ended; starting it again with its data")
        broker.restart()


def _celery_workers(
    stack: Stack, settings: Settings, apps: Sequence[str], count: int, cleanup: ExitStack, relay: Relay
) -> CeleryWorkers:
    env: dict[str, str] = {}
    folder = Path.cwd()
    if not apps and count:
        service = BrowserService()
        cleanup.callback(service.stop)
        env, folder = example_environment(settings.data_dir / "questionnaire", service.port), examples_folder()
    return CeleryWorkers(stack, relay, settings, apps or [APP], count=count, env=env, folder=folder)


def _summarise(
    relay: Relay, settings: Settings, metrics: MetricsPorts, ports: list[int], console: int, api: int
) -> None:
    file = settings.data_dir.absolute() / "prometheus.yml"
    metrics.write_configuration(file)
    served = ", ".join(f"{name}: {url}" for name, url in metrics.urls().items())
    relay.write("metrics", f"{served}; to scrape them: prometheus --config.file={file}")
    urls = ", ".join(f"http://127.0.0.1:{port}" for port in ports)
    relay.write(
        "ready",
        f"console http://127.0.0.1:{console}, API http://127.0.0.1:{api}, Kafka {settings.shown_brokers},"
        f" namespace {settings.namespace}, workers {urls}; press Ctrl-C to stop everything;"
        f" in another terminal: triggers --brokers {settings.brokers} --namespace {settings.namespace} list",
    )


def _watch(
    relay: Relay, looks: Sequence[Callable[[], None]], readiness: Readiness, summarise: Callable[[], None]
) -> None:
    """Look after everything until Ctrl-C. Print the summary once, when everything is ready."""
    summarised = False
    try:
        while True:
            for look in looks:
                look()
            if not summarised and readiness.is_complete:
                summarised = True
                summarise()
            time.sleep(_POLL_INTERVAL_S)
    except KeyboardInterrupt:
        relay.write("dev", "stopping")
