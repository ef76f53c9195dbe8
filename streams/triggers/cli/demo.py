"""`triggers demo` runs the questionnaire end to end and checks its databases."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.status import Status

from triggers.cli.ignored_options import refuse_brokers
from triggers.cli.interruption import end_by_signals
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import command_settings, setting
from triggers.cli.show import print_session
from triggers.client import SessionReader
from triggers.core.view import SessionView
from triggers.dev.broker import new_broker
from triggers.dev.child_process import Relay
from triggers.dev.demo import POLL_INTERVAL_S, Demo, DemoPlan, DemoReport, Progress
from triggers.dev.example import BrowserService
from triggers.dev.stack import Stack
from triggers.dev.temporary_namespace import temporary_namespace
from triggers.settings import Settings

_MAX_PROBLEMS = 20


@click.command("demo")
@click.option("--sessions", type=click.IntRange(1), default=200, show_default=True, help="Number of questionnaires.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the answers.")
@click.option("--broker", metavar="HOST:PORT", help="Broker to use instead of starting one.")
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True, help="Number of workers.")
@click.option(
    "--celery-workers", type=click.IntRange(1), default=1, show_default=True, help="Number of Celery workers."
)
@click.option("--kill", is_flag=True, help="Kill one of the workers (SIGKILL) during the run.")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Folder that keeps databases and logs. Default: a temporary folder."
)
@click.option(
    "--stay",
    is_flag=True,
    help="After the check, keep running until Ctrl-C, with the console and some failed sessions.",
)
@setting("partitions", "Number of partitions of each topic.")
@json_option
@click.pass_context
def demo_command(
    ctx: click.Context,
    sessions: int,
    seed: int,
    broker: str | None,
    processes: int,
    celery_workers: int,
    kill: bool,
    keep: Path | None,
    stay: bool,
    as_json: bool,
) -> None:
    """Run the questionnaire application on a real Kafka and check its databases.

    The exit code is 1 if the databases differ from what the rules say.
    """
    refuse_brokers(ctx)
    if stay and as_json:
        raise click.UsageError("--stay does not go with --json, which prints one document at the end")
    end_by_signals()
    plan = DemoPlan(sessions=sessions, seed=seed, processes=processes, celery_workers=celery_workers, kill=kill)
    console = Console(stderr=True)
    with ExitStack() as cleanup, console.status("starting") as status:
        folder = keep or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="triggers-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        settings = _prepare(ctx, broker, folder, cleanup, status)
        demo, report = _run(plan, settings, folder, cleanup, status)
        session = SessionReader(settings).read(report.sample)
        status.stop()
        if as_json:
            print_json(_plain(demo, report, session))
        else:
            _print(demo, report, session)
        if stay:
            _stay(demo, settings)
    sys.exit(1 if report.problems else 0)


def _prepare(ctx: click.Context, broker: str | None, folder: Path, cleanup: ExitStack, status: Status) -> Settings:
    settings = command_settings(ctx, brokers=broker, data_dir=str(folder.resolve()))
    if broker is None:
        new = new_broker()
        cleanup.callback(new.stop)
        status.update(f"starting {new.kind}")
        new.start()
        settings = msgspec.structs.replace(settings.without_security(), brokers=new.address)
    prefix = (ctx.obj or {}).get("namespace") or "demo"
    return cleanup.enter_context(temporary_namespace(settings, prefix))


def _run(
    plan: DemoPlan, settings: Settings, folder: Path, cleanup: ExitStack, status: Status
) -> tuple[Demo, DemoReport]:
    log = cleanup.enter_context((folder / "demo.log").open("w"))
    stack, service = Stack(Relay(log)), BrowserService()
    cleanup.callback(service.stop)
    cleanup.callback(stack.stop)
    demo = Demo(plan, settings, stack, service.port)
    processes = f"{plan.processes} workers and {plan.celery_workers} Celery workers"
    status.update(f"starting {processes}; their log is {folder / 'demo.log'}")
    demo.start()
    demo.run(lambda progress: status.update(_text(progress)))
    return demo, demo.check()


def _stay(demo: Demo, settings: Settings) -> None:
    """Keep everything running until Ctrl-C, which does not change the exit code."""
    url, failing = demo.open_to_visitors()
    command = f"triggers --brokers {settings.brokers} --namespace {settings.namespace}"
    click.echo(
        f"Console: {url} ({failing} sessions have pages that no task can import: find out why, and replay them).\n"
        f"In another terminal: {command} list --failed, or {command} top. Press Ctrl-C to stop everything."
    )
    with suppress(KeyboardInterrupt):
        demo.keep_running()


def _text(progress: Progress) -> str:
    published = "publishing" if progress.published is None else f"{progress.published} events published"
    killed = "; a worker was killed" if progress.killed else ""
    return f"{published}; lag: {progress.lag or 'unknown'}{killed}"


def _print(demo: Demo, report: DemoReport, session: SessionView) -> None:
    print_session(session)
    rows = [(what, wanted, actual, "ok" if wanted == actual else "WRONG") for what, wanted, actual in report.table]
    print_table(("in the databases", "expected", "found", ""), rows, f"{demo.plan.sessions} questionnaires")
    print_table(("measure", ""), _facts(demo.progress, report))
    for problem in report.problems[:_MAX_PROBLEMS]:
        click.echo(f"WRONG {problem}")
    click.echo(f"{len(report.problems)} problems" if report.problems else "The databases are exactly as the rules say.")


def _facts(progress: Progress, report: DemoReport) -> list[tuple[str, object]]:
    published = progress.published or 0
    return [
        ("events published by the application", published),
        ("events published by the tasks (running, finished)", progress.events - published),
        (f"seconds until everything was done (checked every {POLL_INTERVAL_S} s)", f"{progress.seconds:.1f}"),
        ("events per second, tasks included", f"{progress.events_per_s:,.0f}"),
        ("repeated task executions", report.repeated),
        ("killed workers", progress.killed),
        ("lag before", progress.before),
        ("largest observed lag", progress.largest),
        ("lag after", progress.lag),
    ]


def _plain(demo: Demo, report: DemoReport, session: SessionView) -> dict[str, object]:
    progress = demo.progress
    return {
        "sessions": demo.plan.sessions,
        "table": [{"what": what, "expected": wanted, "found": actual} for what, wanted, actual in report.table],
        "problems": report.problems,
        "published": progress.published,
        "events": progress.events,
        "seconds": round(progress.seconds, 2),
        "events_per_s": round(progress.events_per_s),
        "repeated": report.repeated,
        "killed": progress.killed,
        "lag": {"before": progress.before, "largest": progress.largest, "after": progress.lag},
        "session": session,
    }
