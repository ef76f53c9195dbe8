"""Writes the parts of docs/{cli,settings,analysis}.md that come from the code: python -m tests.docs.reference_pages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path

import click

import triggers.settings
from triggers.analysis.check.findings import KINDS
from triggers.cli import main
from triggers.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITTEN_BY = "<!-- Written by `python -m tests.docs.reference_pages`; do not edit. -->"

_WITH_WHERE = (
    "; with `--where`: as `jobs resume` prints it, or null if nothing matches; with `--dry-run`: `{change, where,"
    " letters, items, sessions, groups: [{task, reason, items}], sample: [{session, instance, partition, offset,"
    " created, reason}]}`; `where` is the filter of sessions, or `letters` that of dead letters"
)
JSON_SHAPES = {
    "demo": "`{sessions, table: [{what, expected, found}], problems: [text], published, events, seconds, events_per_s,"
    " repeated, killed, lag: {before, largest, after: {events, commands}}, session}`; `session` as `show` prints it",
    "topics create": "`{created: [topic], topics: [topic], partitions: {topic: number}}`",
    "topics check": "`[{topic, problem, fix}]`, empty if there is no problem",
    "topics lag": "`[{group, topic, partition, committed, end, records, lag}]`; `records` is the number of unfinished"
    " records, null if they are too many to count; `lag` is the distance in offsets. With `--watch`, lines"
    " of `{time, totals: [{group, topic, partitions, lag, records, largest, written_per_s, finished_per_s,"
    " seconds_left}], partitions: [as above]}`",
    "doctor": "`[{check, verdict, detail, fix}]`; `verdict` is `ok`, `warning`, `problem` or `unknown`",
    "fire": "`{session, partition, offset}`; with `--from`: `{triggers, sessions, seconds, triggers_per_s}`",
    "configure": "`{session, partition, offset}`",
    "rules publish": "`{name, version, changed}`; `version` is null if nothing has changed. With `--dry-run` also"
    " `adopting`, the number of sessions; with `--backtest`: `schemas/backtest.schema.json`",
    "rules list": "`[{name, version, configuration, match, is_default, existing, locked, time, source, actor}]`",
    "rules history": "as `rules list` prints it",
    "rules show": "one element of the list that `rules list` prints",
    "rules adopt": "`{session, name, version}`" + _WITH_WHERE,
    "rules diff": "`[{path, before, after}]`",
    "rules retire": "`{name, version, changed}`",
    "api token": "`{name, token, line}`; `line` is that of the file of tokens, with the token's hash",
    "show": "`schemas/session.schema.json`; with `--diff`: `[{path, before, after}]`",
    "list": "`schemas/page.schema.json`; `missing` has the partitions whose sessions the page lacks",
    "top": "lines of `{time, statuses, failures, stuck, lag, workers, letters, rules, missing}`; what did not answer is"
    " null, and `missing` says why; `lag` is `{totals, partitions}`, as `topics lag --watch` prints them",
    "replay": "`{instance, status, replays: [instance]}`" + _WITH_WHERE,
    "skip": "`{instance, status, replays: []}`" + _WITH_WHERE,
    "cancel": "`{instance, status, replays: []}`" + _WITH_WHERE,
    "delete": "`{session, partition, offset}`" + _WITH_WHERE,
    "jobs cancel": "as `jobs resume` prints it",
    "jobs list": "a list of what `jobs resume` prints",
    "jobs show": "`{job, items: [{item, session, instance, partition, offset, reason, state, detail, replays:"
    " [instance]}], next}`; `job` as `jobs resume` prints it; `next` is the number for `--first`, or null after the"
    " last page",
    "jobs resume": "`{id, change, where, letters, actor, rate, created, changed, items, counts: {state: number},"
    " is_finished}`",
    "migrate": "`[{session, result, instances, unresolved, detail}]`; `result` is `would be moved`, `moved`,"
    " `there already`, `moved before, and changed since`, `differs`, `in flight`, `refused` or `missing`",
    "copy": "`{partitions, events, versions, sessions, rows, commands, late_events, dead_letters_before, refused,"
    " open_letters, seconds}`",
    "reserve-offsets": "`[{partition, sessions, first}]`; `first` is the offset of the next event",
    "rebuild": "`{partitions: [{partition, events, sessions, rows, different, removed_before}], different, written}`",
    "dead-letters list": "`[{coordinates, reason, detail, topic, partition, offset, time, key, value, headers: [[name,"
    " value]], missing, state, actor, job}]`; `state` is `open`, or `redriven` or `discarded` by `actor`;"
    " `coordinates` are `<partition>/<offset>` of the dead letter, `topic`, `partition` and `offset` are"
    " those of the original record",
    "dead-letters show": "one element of the list that `dead-letters list` prints",
    "dead-letters redrive": "`{redriven: [coordinates]}`, without those that were redriven or discarded before"
    + _WITH_WHERE,
    "dead-letters discard": "`{discarded: [coordinates]}`, without those that were redriven or discarded before"
    + _WITH_WHERE,
    "check": "`[{file, findings, orders}]`; `findings` and `orders` as in `schemas/check.schema.json`; the number of"
    " `orders` is null if they are too many to count",
    "status": "`schemas/overview.schema.json`",
    "stats": "`schemas/statistics.schema.json`; the CSV and Parquet tables have the columns of its lists",
    "explain": "`schemas/explanation.schema.json`",
    "graph": "`{title, nodes: [{id, shape, lines, status}], edges: [{source, target, line, label}]}`; with `--session`:"
    " `schemas/causes.schema.json`",
    "backtest": "`schemas/backtest.schema.json`; each line of `--out` is one of its `samples`",
    "verify": "`{passed, failed, differences: [{id, title, firm, differences: [text]}]}`; for a capsule, `id` is the"
    " session and `title` is the file",
}
"""The documents that `--json` prints, by command. A key keeps its meaning and is not removed; new keys may come."""

_KINDS_START = "| rule | severity | |\n|---|---|---|\n"
_KINDS_END = "<!-- end of findings -->\n"

_CLI_HEAD = f"""# The command line

{WRITTEN_BY}

`triggers COMMAND --help` prints the same texts. Every option can also be set by an environment variable,
over which the command line takes precedence. An option that would have no effect is refused.

Every command that prints data has the option `--json`, which prints one JSON document on standard output.
Keys keep their names and meanings; new keys may be added.
Errors are one line on standard error. Exit codes:

| code | meaning |
|---|---|
| 0 | done |
| 1 | a check failed: `check`, `backtest`, `verify`, `topics check`, `doctor`, `demo`, `migrate`, `rebuild --check` |
| 2 | fix the call: an option, a setting, a configuration, the status of an instance |
| 3 | not found: a session, an instance, a topic or a dead letter |
| 4 | try again: a broker or the worker that owns the session does not answer |
| 130 | Ctrl-C |

`eval "$(triggers completion bash)"` enables completion; `zsh` and `fish` work in the same way.

## Global options
"""

_SETTINGS_HEAD = f"""# Settings

{WRITTEN_BY}

Every process reads these variables when it starts. An invalid value ends it with an error that names the variable.
A value is in seconds if the name of the variable ends with `_S`, and in bytes if it ends with `_BYTES`.

| variable | default | |
|---|---|---|
"""


def cli_page() -> str:
    """Return the text of docs/cli.md."""
    parts = [_CLI_HEAD, _options(main)]
    parts += [_section(command, path) for path, command in commands()]
    return "\n".join(parts)


def settings_page() -> str:
    """Return the text of docs/settings.md."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(name)} | {text.replace(chr(10), ' ')} |"
        for name, text in setting_texts().items()
    ]
    return _SETTINGS_HEAD + "\n".join(rows) + "\n"


def analysis_page() -> str:
    """Return the text of docs/analysis.md with the current table of the findings of `triggers check`."""
    before, rest = (DOCS / "analysis.md").read_text().split(_KINDS_START)
    rows = "".join(f"| `{name}` | {kind.severity} | {kind.summary} |\n" for name, kind in KINDS.items())
    return f"{before}{_KINDS_START}{rows}{_KINDS_END}{rest.split(_KINDS_END)[1]}"


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that is not a group, with its path."""
    yield from _below(main, ())


def options(command: click.Command) -> list[click.Option]:
    """Return the command's options, except those that print the help or the version of the program."""
    return [option for option in command.params if isinstance(option, click.Option) and not option.is_eager]


def setting_texts() -> dict[str, str]:
    """Return the docstring of each setting, in the order of the code."""
    tree = ast.parse(Path(triggers.settings.__file__).read_text())
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    fields = [(node, after) for node, after in pairwise([*body, ast.Pass()]) if isinstance(node, ast.AnnAssign)]
    return {node.target.id: _docstring(after) for node, after in fields if isinstance(node.target, ast.Name)}


def _docstring(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return cleandoc(node.value.value)
    return ""


def _default(name: str) -> str:
    value = getattr(Settings(), name)
    if value in {"", Path(), None}:
        return "(empty)"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _below(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _below(command, (*path, name))
        elif command is not None:
            yield (*path, name), command


def _section(command: click.Command, path: tuple[str, ...]) -> str:
    name = " ".join(path)
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    usage = " ".join(("triggers", name, *arguments))
    shape = f"\n`--json`: {JSON_SHAPES[name]}\n" if name in JSON_SHAPES else ""
    return f"## {name}\n\n`{usage}`\n\n{cleandoc(command.help or '')}\n{shape}\n{_options(command)}"


def _options(command: click.Command) -> str:
    rows = [f"| {_flags(option)} | `{option.envvar}` | {_help(option)} |" for option in options(command)]
    return "\n".join(("| option | variable | |", "|---|---|---|", *rows, "")) if rows else ""


def _flags(option: click.Option) -> str:
    return ", ".join(f"`{flag}`" for flag in option.opts)


def _help(option: click.Option) -> str:
    shown = bool(option.show_default) and option.default is not None
    return f"{option.help or ''} Default: {option.default}." if shown else option.help or ""


if __name__ == "__main__":
    (DOCS / "cli.md").write_text(cli_page())
    (DOCS / "settings.md").write_text(settings_page())
    (DOCS / "analysis.md").write_text(analysis_page())
