"""No option of the command line is silently ignored: a command refuses an option that needs something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from triggers.cli.program import command_names, main

INDEPENDENT = {
    "": "brokers kafka_config_file namespace",
    "api serve": "host port token_file",
    "api token": "name scopes rate path as_json",
    "backtest": "new_rules since sample added stubs reuse show out file rules as_json",
    "cancel": "session instance terminate where as_json",
    "capture": "sessions masked into file rules",
    "check": "files declarations ignored fail_on orders as_sarif",
    "completion": "shell",
    "configure": "session rules if_absent as_json",
    "console": "host port file read_only secret_file token_file url",
    "copy": "namespace from_brokers from_kafka_config_file mirrored partitions replication_factor retention_days yes"
    " as_json",
    "dead-letters discard": "coordinates every reason where as_json",
    "dead-letters list": "limit reason state as_json",
    "dead-letters redrive": "coordinates every reason where as_json",
    "dead-letters show": "coordinates as_json",
    "delete": "session where yes as_json",
    "demo": "sessions seed broker processes celery_workers kill keep stay partitions as_json",
    "dev": "broker processes celery_workers data rules partitions",
    "dispatcher": "app queues",
    "doctor": "process retention_days as_json",
    "explain": "session task file as_json",
    "export": "sessions",
    "fire": "file as_json",
    "graph": "new_rules session as_json",
    "hooks": "app manager group",
    "init": "folder",
    "jobs cancel": "job as_json",
    "jobs list": "limit as_json",
    "jobs resume": "job as_json",
    "jobs show": "job state first limit as_json",
    "list": "failed stuck status task exception message seen missing rules older_than unchanged_for prefix limit cursor"
    " as_json",
    "migrate": "sessions source storage really reissue as_json",
    "rebuild": "is_check accept_removed as_json",
    "replay": "session instance kwargs where as_json",
    "reserve-offsets": "as_json",
    "rules adopt": "name session where as_json",
    "rules diff": "name versions as_json",
    "rules history": "name as_json",
    "rules list": "as_json",
    "rules publish": "name rules match is_default existing locked watch as_json",
    "rules retire": "name as_json",
    "rules show": "name as_json",
    "show": "session at diff as_json",
    "skip": "session instance cascade result where as_json",
    "stats": "since until stuck_after csv_into parquet file as_json",
    "status": "task as_json",
    "top": "every times as_json",
    "topics acls": "principal process shape",
    "topics check": "queues replication_factor retention_days as_json",
    "topics create": "queues partitions replication_factor retention_days as_json",
    "topics lag": "watch as_json",
    "verify": "files as_json",
    "worker": "processes data_dir worker_id web_host web_port advertised_url max_batch_records session_timeout_s"
    " log_format",
}
"""The parameters of each command that have an effect whatever else is given."""

FILTERS = {
    "failed": "--failed",
    "stuck": "--stuck 1h",
    "status": "--status failed",
    "task": "--task t",
    "exception": "--exception E",
    "message": "--message m",
    "seen": "--trigger a",
    "missing": "--missing a",
    "rules": "--rules r",
    "older_than": "--older-than 1h",
    "unchanged_for": "--unchanged-for 1h",
    "prefix": "--prefix p",
    "rate": "--rate 5",
    "dry_run": "--dry-run",
    "yes": "--yes",
}
"""What changes all that match only with --where."""
REPAIRS = {
    "replay": "replay s t#0",
    "skip": "skip s t#0",
    "cancel": "cancel s t#0",
    "delete": "delete s",
    "rules adopt": "rules adopt r s",
}
LETTER_FILTERS = {
    "detail": "--detail d",
    "topic": "--topic t",
    "prefix": "--prefix p",
    "older_than": "--older-than 1h",
    "newer_than": "--newer-than 1h",
    "rate": "--rate 5",
    "dry_run": "--dry-run",
    "yes": "--yes",
}
"""What changes all dead letters that match only with --where."""
LETTER_REPAIRS = ("dead-letters redrive", "dead-letters discard")

IGNORED = [
    *(
        (command, name, f"{call} {option}", f"{option.split()[0]} needs --where")
        for command, call in REPAIRS.items()
        for name, option in FILTERS.items()
        if (command, name) != ("delete", "yes")
    ),
    *(
        (command, name, f"{command} 0/7 {option}", f"{option.split()[0]} needs --where")
        for command in LETTER_REPAIRS
        for name, option in LETTER_FILTERS.items()
    ),
    ("replay", "session", "replay s t#0 --where --failed", "SESSION does not go with --where"),
    ("topics lag", "every", "topics lag --every 3s", "--every needs --watch"),
    ("topics lag", "times", "topics lag --times 3", "--times needs --watch"),
    ("backtest", "rules", "backtest {} --rules {}", "--rules needs --from"),
    ("capture", "rules", "capture s --rules {}", "--rules needs --from"),
    ("check", "as_json", "check FILE --sarif --json", "--json does not go with --sarif"),
    ("check", "events", "check FILE --no-orders --events a", "--events does not go with --no-orders"),
    ("check", "results", "check FILE --no-orders --results any-time", "--results does not go with --no-orders"),
    ("check", "walks", "check FILE --no-orders --walks 7", "--walks does not go with --no-orders"),
    ("check", "worlds", "check FILE --no-orders --worlds 7", "--worlds does not go with --no-orders"),
    ("console", "rules", "console --rules {}", "--rules needs --from"),
    ("demo", "kafka_config_file", "--kafka-config-file f demo", "--kafka-config-file needs demo --broker"),
    ("demo", "brokers", "--brokers b:1 demo", "--brokers does not go with demo"),
    ("dev", "apps", "dev --celery-workers 0 -A app", "-A needs a Celery worker"),
    ("dev", "kafka_config_file", "--kafka-config-file f dev", "--kafka-config-file needs dev --broker"),
    ("dev", "brokers", "--brokers b:1 dev", "--brokers does not go with dev"),
    ("dead-letters redrive", "every", "dead-letters redrive --all --reason bad_json", "one of COORDINATES"),
    ("dead-letters redrive", "reason", "dead-letters redrive 0/7 --reason bad_json", "one of COORDINATES"),
    ("dead-letters discard", "every", "dead-letters discard --all --reason bad_json", "one of COORDINATES"),
    ("dead-letters discard", "reason", "dead-letters discard 0/7 --reason bad_json", "one of COORDINATES"),
    ("explain", "rules", "explain s --rules {}", "--rules needs --from"),
    ("fire", "event_id", "fire --from FILE --id a1", "--id does not go with --from"),
    ("fire", "kwargs", "fire --from FILE --kwargs {}", "--kwargs does not go with --from"),
    ("fire", "named", "fire --from FILE --begin-with r", "--begin-with does not go with --from"),
    ("fire", "rules", "fire s t --rules {}", "--rules needs --from"),
    ("fire", "session", "fire s --from FILE", "SESSION does not go with --from"),
    ("fire", "start_line", "fire s t --start-line 1", "--start-line needs --from"),
    ("fire", "time", "fire --from FILE --time 2026-01-01T00:00:00Z", "--time does not go with --from"),
    ("fire", "trigger", "fire s t --from FILE", "SESSION does not go with --from"),
    ("graph", "file", "graph {} --from FILE", "--from needs --session"),
    ("graph", "instance", "graph {} --instance t#0", "--instance needs --session"),
    ("graph", "language", "graph {} --json --format svg", "--format does not go with --json"),
    ("graph", "rules", "graph {} --rules {}", "--rules needs --session"),
    ("graph", "rules", "graph --session s --rules {}", "--rules needs --from"),
    ("migrate", "cache", "migrate s --storage memory --cache other", "--cache needs --storage cache"),
    ("rules publish", "dry_run", "rules publish r {} --dry-run --watch", "--dry-run does not go with --watch"),
    ("rules publish", "dry_run", "rules publish r {} --dry-run --backtest 7d", "does not go with --backtest"),
    ("rules publish", "since", "rules publish r {} --backtest 7d --watch", "--backtest does not go with --watch"),
    ("show", "after", "show s --after 0/7 --from FILE", "--after waits for a worker"),
    ("show", "after", "show s --after 0/7 --at 7", "exclude each other"),
    ("show", "file", "show s --after 0/7 --from FILE", "--from asks none"),
    ("show", "rules", "show s --rules {}", "--rules needs --from"),
    ("stats", "rules", "stats --rules {}", "--rules needs --from"),
    ("topics acls", "authentication", "topics acls --principal U:x --authentication tls", "needs --format strimzi"),
    ("topics acls", "queues", "topics acls --principal U:x --process agent --queue q", "needs --process celery"),
]
"""Command, parameter, a call in which the parameter would be ignored, and the beginning of the refusal."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yields all commands by name: the program itself, its commands, and those of its groups."""
    yield "", main
    context = click.Context(main)
    for name in command_names():
        command = main.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", each) for sub, each in command.commands.items())
        else:
            yield name, command


def parameters() -> set[tuple[str, str]]:
    return {
        (name, str(each.name))
        for name, command in commands()
        for each in command.params
        if each.name not in {"version", "help"}
    }


def test_every_parameter_is_independent_or_has_a_call_in_which_it_would_be_ignored() -> None:
    independent = {(command, name) for command, names in INDEPENDENT.items() for name in names.split()}
    dependent = {(command, name) for command, name, _, _ in IGNORED if name not in {"brokers", "kafka_config_file"}}

    assert parameters() - independent - dependent == set()
    assert (independent | dependent) - parameters() == set()


@pytest.mark.parametrize(("call", "refusal"), [pytest.param(*each[2:], id=each[2]) for each in IGNORED])
def test_an_option_that_would_be_ignored_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, refusal: str
) -> None:
    file = tmp_path / "file.json"
    file.write_text('{"t_a": {"after": ["a"], "run": "app.a"}}')
    monkeypatch.setenv("TRIGGERS_BROKERS", "127.0.0.1:1")

    result = CliRunner().invoke(main, [str(file) if word == "FILE" else word for word in call.split()])

    assert result.exit_code == 2, result.output
    assert refusal in result.output
