"""`triggers demo`: the questionnaire, end to end, checked from its databases."""

from __future__ import annotations

import signal
import sys
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status

from triggers.cli.output import print_table
from triggers.cli.settings_options import setting, settings_of
from triggers.cli.show import print_session
from triggers.client import SessionReader
from triggers.client.topics import create_topics
from triggers.dev.broker import new_broker
from triggers.dev.demo import Demo, Plan, Progress, Report
from triggers.dev.example import BrowserService
from triggers.dev.relay import Relay
from triggers.dev.stack import Stack
from triggers.settings import Settings

_MOST_PROBLEMS = 20


@click.command("demo")
@click.option("--sessions", type=click.IntRange(1), default=200, show_default=True, help="Questionnaires.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same answers.")
@click.option("--broker", metavar="HOST:PORT", help="A broker you have; without it, one is started.")
@click.option("--agents", type=click.IntRange(1), default=2, show_default=True, help="Workers.")
@click.option("--celery-workers", type=click.IntRange(1), default=1, show_default=True, help="Celery workers.")
@click.option("--kill", is_flag=True, help="SIGKILL one of the workers in the middle.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the databases and logs, kept at the end.")
@setting("partitions", "Partitions of the topics.")
@click.pass_context
def demo_command(  # noqa: PLR0913, PLR0917  # one for each option
    ctx: click.Context,
    sessions: int,
    seed: int,
    broker: str | None,
    agents: int,
    celery_workers: int,
    kill: bool,
    keep: Path | None,
) -> None:
    """Run the questionnaire application on a real Kafka and check its databases. Exit code 1 if anything is off."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan(sessions=sessions, seed=seed, agents=agents, celery_workers=celery_workers, kill=kill)
    console = Console(stderr=True)
    with ExitStack() as cleanup, console.status("starting") as status:
        folder = keep or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="triggers-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        settings = _prepare(ctx, broker, folder, cleanup, status)
        demo, report = _run(plan, settings, folder, cleanup, status)
        status.stop()
        _print(demo, report, settings)
    sys.exit(1 if report.problems else 0)


def _prepare(ctx: click.Context, broker: str | None, folder: Path, cleanup: ExitStack, status: Status) -> Settings:
    if broker is None:
        new = new_broker()
        cleanup.callback(new.stop)
        status.update(f"starting {new.kind}")
        new.start()
        broker = new.address
    namespace = (ctx.obj or {}).get("namespace") or f"demo-{uuid.uuid4().hex[:8]}"
    settings = settings_of(ctx, brokers=broker, namespace=namespace, data_dir=str(folder.resolve()))
    create_topics(settings)
    return settings


def _run(plan: Plan, settings: Settings, folder: Path, cleanup: ExitStack, status: Status) -> tuple[Demo, Report]:
    log = cleanup.enter_context((folder / "demo.log").open("w"))
    stack, service = Stack(Relay(log)), BrowserService()
    cleanup.callback(service.stop)
    cleanup.callback(stack.stop)
    demo = Demo(plan, settings, stack, service.port)
    demo.start()
    status.update(f"{plan.agents} workers and {plan.celery_workers} Celery workers start; log in {folder / 'demo.log'}")
    demo.run(lambda progress: status.update(_text(progress)))
    return demo, demo.check()


def _text(progress: Progress) -> str:
    published = f"{progress.published} events published" if progress.publish_s else "publishing"
    killed = "; one worker was killed" if progress.killed else ""
    return f"{published}; lag: {progress.lag.events} events, {progress.lag.commands} commands{killed}"


def _print(demo: Demo, report: Report, settings: Settings) -> None:
    progress = demo.progress
    print_session(SessionReader(settings).read(report.sample))
    rows = [(what, wanted, found, "ok" if wanted == found else "WRONG") for what, wanted, found in report.table]
    print_table(("in the databases", "expected", "found", ""), rows, f"{demo.plan.sessions} questionnaires")
    events = progress.published + 2 * report.tasks
    facts = [
        ("events published by the application", progress.published),
        ("and by the tasks (running, finished)", 2 * report.tasks),
        ("seconds from the first event to the last result", f"{progress.seconds:.1f}"),
        ("events/s, tasks included", f"{events / max(progress.seconds, 0.1):,.0f}"),
        ("executions repeated", report.repeated),
        ("workers killed", int(progress.killed)),
        ("lag before", "0 events, 0 commands"),
        ("largest lag seen", f"{progress.largest.events} events, {progress.largest.commands} commands"),
        ("lag after", f"{progress.lag.events} events, {progress.lag.commands} commands"),
    ]
    print_table(("measure", ""), facts)
    for problem in report.problems[:_MOST_PROBLEMS]:
        click.echo(f"WRONG {problem}")
    click.echo(f"{len(report.problems)} problems" if report.problems else "Everything is exactly as the rules say.")
