"""`triggers topics`: make them, check them, see how far behind their readers are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict

import click

from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import setting, settings_of
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.client.consumer_lag import Finished, consumer_lag
from triggers.client.topics import DEFAULT_RETENTION_DAYS, check_topics, create_topics, plan_topics

retention_option = click.option(
    "--retention-days",
    type=click.IntRange(1),
    default=DEFAULT_RETENTION_DAYS,
    envvar="TRIGGERS_RETENTION_DAYS",
    show_envvar=True,
    show_default=True,
    help="How long events and commands are kept; longer than any session lives.",
)


@click.group("topics", cls=SuggestingGroup)
def topics_command() -> None:
    """Make and check the topics, and measure consumer lag."""


@topics_command.command("create")
@setting("partitions", "Partitions of every topic. A launch-time decision: it cannot grow later.")
@setting("replication_factor", "Replicas of every topic; 3 in production.")
@retention_option
@json_option
@click.pass_context
def create(ctx: click.Context, retention_days: int, as_json: bool) -> None:
    """Make the topics that are missing; those that are there stay as they are."""
    settings = settings_of(ctx)
    made = create_topics(settings, retention_days)
    plans = plan_topics(settings, retention_days)
    if as_json:
        print_json({"created": made, "topics": [plan.name for plan in plans]})
        return
    rows = [(plan.name, plan.partitions, "created" if plan.name in made else "was there") for plan in plans]
    print_table(("topic", "partitions", ""), rows)


@topics_command.command("check")
@setting("replication_factor", "Replicas that every topic should have.")
@retention_option
@json_option
@click.pass_context
def check(ctx: click.Context, retention_days: int, as_json: bool) -> None:
    """Tell everything that is wrong with the topics, and how to mend it. Exit code 1 if anything is."""
    problems = check_topics(settings_of(ctx), retention_days)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    elif problems:
        print_table(("topic", "problem", "fix"), [(p.topic, p.problem, p.fix) for p in problems])
    else:
        click.echo("The topics are as they should be.")
    sys.exit(1 if problems else 0)


@topics_command.command("lag")
@json_option
@click.pass_context
def lag(ctx: click.Context, as_json: bool) -> None:
    """Records that workers and executors have not finished, and their lag in offsets, by partition.

    An event is unfinished until a worker has committed it. A command is unfinished until its result is on Kafka: while
    it waits, while it is in a Celery worker's hand and while it runs; with the dispatcher, until the application's
    broker has it. Both follow the last commit, at most a second behind. The lag in offsets is larger: transaction
    markers count in it, and whatever is finished behind a command that is not.
    """
    rows = consumer_lag(settings_of(ctx), finished=_finished())
    if as_json:
        print_json([asdict(row) | {"lag": row.lag} for row in rows])
        return
    columns = ("group", "topic", "partition", "committed", "end", "lag in offsets", "unfinished records")
    print_table(columns, [(r.group, r.topic, r.partition, r.committed, r.end, r.lag, _known(r.records)) for r in rows])


def _finished() -> Callable[[int, str], Finished]:
    from triggers.celery.ledger import finished_beyond  # noqa: PLC0415  # the only thing needed of it

    return finished_beyond


def _known(records: int | None) -> object:
    return "many" if records is None else records
