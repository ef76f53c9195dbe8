"""`triggers topics` creates and checks the topics, measures consumer lag and prints access control lists."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from triggers.cli.finished_commands import finished_of_executors
from triggers.cli.lag_watch import watch_lag
from triggers.cli.option_types import Duration
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import command_settings, kafka_settings, setting
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.cli.topics_acls import acls
from triggers.client.consumer_lag import measure_lag
from triggers.client.lag_totals import total_lag
from triggers.kafka.reachability import check_before_command
from triggers.kafka.topics import (
    DEFAULT_RETENTION_DAYS,
    check_topics,
    count_partitions,
    create_topics,
    plan_queues,
    plan_topics,
)
from triggers.topology import Queue, parse_queues

_EVERY_MS = 2000

retention_option = click.option(
    "--retention-days",
    type=click.IntRange(1),
    default=DEFAULT_RETENTION_DAYS,
    envvar="TRIGGERS_RETENTION_DAYS",
    show_envvar=True,
    show_default=True,
    help="Retention of events and commands, in days. It must be longer than any session lives.",
)
queue_option = click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME",
    help="Only the topic of this queue of commands. Repeatable.",
)


@click.group("topics", cls=SuggestingGroup)
def topics_command() -> None:
    """Create and check the topics, measure consumer lag, print access control lists."""


@topics_command.command("create")
@setting("partitions", "Number of partitions of each topic. It cannot be changed later.")
@setting("replication_factor", "Number of replicas of each partition. Use 3 in production.")
@retention_option
@queue_option
@json_option
@click.pass_context
def create(ctx: click.Context, retention_days: int, queues: tuple[str, ...], as_json: bool) -> None:
    """Create missing topics. Existing topics are not changed.

    Without --queue, all topics of the installation are created, including those of the queues in TRIGGERS_QUEUES.
    """
    settings, chosen = command_settings(ctx), _chosen(queues)
    check_before_command(settings)
    created = create_topics(settings, retention_days, chosen)
    plans = plan_topics(settings, retention_days) if chosen is None else plan_queues(settings, chosen, retention_days)
    partitions = count_partitions(settings, [plan.name for plan in plans])
    if as_json:
        print_json({"created": created, "topics": [plan.name for plan in plans], "partitions": partitions})
        return
    rows = [(plan.name, partitions[plan.name], "created" if plan.name in created else "exists") for plan in plans]
    print_table(("topic", "partitions", ""), rows)


@topics_command.command("check")
@setting("replication_factor", "Number of replicas that each partition should have.")
@retention_option
@queue_option
@json_option
@click.pass_context
def check(ctx: click.Context, retention_days: int, queues: tuple[str, ...], as_json: bool) -> None:
    """Print what is wrong with the topics and how to fix it. The exit code is 1 if there is a problem.

    Without --queue, every queue is checked except for its retention, because each queue may have its own.
    """
    settings = command_settings(ctx)
    check_before_command(settings)
    problems = check_topics(settings, retention_days, _chosen(queues))
    if as_json:
        print_json([asdict(problem) for problem in problems])
    elif problems:
        print_table(("topic", "problem", "fix"), [(p.topic, p.problem, p.fix) for p in problems])
    else:
        click.echo("The topics have no problems.")
    sys.exit(1 if problems else 0)


@topics_command.command("lag")
@click.option(
    "--watch", is_flag=True, help="Measure repeatedly, and print totals, rates and the time until there is no lag."
)
@click.option("--every", type=Duration(), help="With --watch: time between measurements. Default: 2s.")
@click.option("--times", type=click.IntRange(1), help="With --watch: number of measurements. Default: until Ctrl-C.")
@json_option
@click.pass_context
def lag(ctx: click.Context, watch: bool, every: int | None, times: int | None, as_json: bool) -> None:
    """Print the unfinished records of workers and executors and their lag in offsets, by topic and partition.

    Every queue has a topic and a consumer group of executors of its own.

    An event is unfinished until a worker has committed it. A command is unfinished until its result is on Kafka, or,
    with the dispatcher, until the application's broker has it. Both figures follow the last commit and are at most a
    second old. The lag in offsets is larger: it counts transaction markers, and finished commands after an unfinished
    one.

    Without the extra `celery`, finished commands after an unfinished one count as unfinished records, too.
    """
    if not watch and (every is not None or times is not None):
        raise click.UsageError(f"{'--every' if every is not None else '--times'} needs --watch")
    settings, finished = kafka_settings(ctx, "events", "commands"), finished_of_executors()
    if watch:
        watch_lag(lambda: measure_lag(settings, finished=finished), (every or _EVERY_MS) / 1000, times, as_json=as_json)
        return
    rows = measure_lag(settings, finished=finished)
    if as_json:
        print_json([asdict(row) | {"lag": row.lag} for row in rows])
        return
    columns = ("group", "topic", "partition", "committed", "end", "lag in offsets", "unfinished records")
    print_table(columns, [(r.group, r.topic, r.partition, r.committed, r.end, r.lag, _known(r.records)) for r in rows])
    totals = [(t.group, t.topic, t.partitions, t.lag, t.largest, _known(t.records)) for t in total_lag(rows)]
    print_table(("group", "topic", "partitions", "lag in offsets", "largest", "unfinished records"), totals, "Totals")


topics_command.add_command(acls)


def _chosen(names: tuple[str, ...]) -> tuple[Queue, ...] | None:
    """Return the queues of these names, or None without names. Raises SettingsError."""
    return parse_queues(names) if names else None


def _known(records: int | None) -> object:
    return "many" if records is None else records
